"""Where packages come from: what is configured for pip or uv reaches both; PyTorch's index only where nothing is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "configs" / "setup" / "sources"
PYTORCH = "https://download.pytorch.org/whl/cpu"


def _exported(
    folder: Path, set_name: str = "cpu", pip_conf: str = "", uv_toml: str = "", **environment: str
) -> dict[str, str]:
    """The variables that the set-up hands to pip and uv on a machine configured like this."""
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    # pip reads the machine's own files too, unless it is told to read none
    (folder / "pip.conf").write_text(pip_conf)
    (folder / "uv").mkdir()
    (folder / "uv" / "uv.toml").write_text(uv_toml)
    script = f'set -euo pipefail; . "{SOURCES}"; use_configured_sources {set_name}; env -0'
    base = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "PIP_CONFIG_FILE": str(folder / "pip.conf") if pip_conf else "/dev/null",
        "XDG_CONFIG_HOME": str(folder),
    }
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=base | environment, capture_output=True, timeout=60, check=True
    )
    pairs = (entry.split("=", 1) for entry in done.stdout.decode().split("\0") if entry)
    return {name: value for name, value in pairs if name.startswith(("UV_", "PIP_", "SSL_"))}


@pytest.fixture(autouse=True)
def _no_configuration_of_this_machine() -> None:
    if Path("/etc/uv/uv.toml").exists():
        pytest.skip("this machine configures uv for everybody in /etc/uv/uv.toml, which can't be set aside")


def test_with_nothing_configured_pytorchs_cpu_index_is_added(tmp_path: Path) -> None:
    found = _exported(tmp_path)
    assert found["UV_INDEX"] == PYTORCH
    assert found["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert "UV_DEFAULT_INDEX" not in found


def test_the_gpu_set_never_asks_pytorchs_cpu_index(tmp_path: Path) -> None:
    assert "UV_INDEX" not in _exported(tmp_path, "gpu")


@pytest.mark.parametrize("variable", ["UV_INDEX_URL", "UV_DEFAULT_INDEX", "PIP_INDEX_URL"])
def test_a_mirror_given_to_one_serves_both_and_nothing_else_is_asked(tmp_path: Path, variable: str) -> None:
    found = _exported(tmp_path, **{variable: "https://mirror.example/simple"})
    assert found["PIP_INDEX_URL"] == "https://mirror.example/simple"
    assert "https://mirror.example/simple" in {found.get("UV_DEFAULT_INDEX"), found.get("UV_INDEX_URL")}
    assert "UV_INDEX" not in found


def test_pips_own_wheelhouses_reach_uv(tmp_path: Path) -> None:
    found = _exported(tmp_path, PIP_FIND_LINKS="/wheels/one /wheels/two")
    assert found["UV_FIND_LINKS"] == "/wheels/one,/wheels/two"
    assert "UV_INDEX" not in found


def test_uvs_wheelhouses_reach_pip(tmp_path: Path) -> None:
    found = _exported(tmp_path, UV_FIND_LINKS="/wheels/one,/wheels/two")
    assert found["PIP_FIND_LINKS"] == "/wheels/one /wheels/two"
    assert "UV_INDEX" not in found


def test_pips_configuration_file_counts(tmp_path: Path) -> None:
    conf = "[global]\nindex-url = https://mirror.example/simple\nextra-index-url =\n  https://one.example\n  https://two.example\n"
    found = _exported(tmp_path, pip_conf=conf + "cert = /etc/company.pem\n")
    assert found["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert found["UV_INDEX"] == "https://one.example https://two.example"
    assert found["SSL_CERT_FILE"] == "/etc/company.pem"


def test_uvs_configuration_file_counts(tmp_path: Path) -> None:
    assert "UV_INDEX" not in _exported(tmp_path, uv_toml='find-links = ["/wheels"]\n')


def test_what_is_set_for_uv_is_not_overruled_by_pips(tmp_path: Path) -> None:
    found = _exported(
        tmp_path, UV_DEFAULT_INDEX="https://uv.example/simple", PIP_INDEX_URL="https://pip.example/simple"
    )
    assert found["UV_DEFAULT_INDEX"] == "https://uv.example/simple"
    assert found["PIP_INDEX_URL"] == "https://pip.example/simple"


def test_a_certificate_for_one_serves_both(tmp_path: Path) -> None:
    assert _exported(tmp_path, PIP_CERT="/etc/company.pem")["SSL_CERT_FILE"] == "/etc/company.pem"
