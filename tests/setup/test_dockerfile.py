"""The Dockerfile, as far as it can be run without Docker: what it copies is there and is enough, and the words it calls
are the ones a person has."""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from docker.utils import exclude_paths
from dockerfile_parse import DockerfileParser

from .composed import ROOT, services

CPU = {"SET": "cpu", "PACKAGES": ""}


def steps(file: str = "Dockerfile", **arguments: str) -> list[tuple[str, str]]:
    """The Dockerfile's instructions with its arguments filled in."""
    parser = DockerfileParser(fileobj=io.BytesIO((ROOT / file).read_bytes()))
    known = dict(_argument(value) for instruction, value in _structure(parser) if instruction == "ARG") | arguments
    return [(instruction, _filled(value, known)) for instruction, value in _structure(parser)]


def _structure(parser: DockerfileParser) -> list[tuple[str, str]]:
    return [(step["instruction"], step["value"]) for step in parser.structure if step["instruction"] != "COMMENT"]


def _argument(value: str) -> tuple[str, str]:
    name, _, default = value.partition("=")
    return name, default.strip('"')


def _filled(value: str, known: dict[str, str]) -> str:
    return re.sub(r"\$\{?(\w+)\}?", lambda found: known.get(found[1], found[0]), value)


def commands() -> list[str]:
    """What its RUN lines do, each command by itself."""
    lines = [re.sub(r"--mount=\S+", "", value) for instruction, value in steps(**CPU) if instruction == "RUN"]
    return [command.strip() for line in lines for command in line.split("&&")]


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the builder gets to see: this clone, less what .dockerignore keeps from it."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    folder = tmp_path_factory.mktemp("sent")
    for name in exclude_paths(str(ROOT), patterns):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def image(sent: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folder /app before each RUN, as the COPY lines before it leave it."""
    folder, before = tmp_path_factory.mktemp("app"), []
    for number, (instruction, value) in enumerate(steps(**CPU)):
        if instruction == "COPY":
            *sources, target = shlex.split(value)
            for source in sources:
                assert (sent / source).exists(), f"COPY {source} finds nothing"
                _copy(sent / source, folder / target)
        elif instruction == "RUN":
            shutil.copytree(folder, tmp_path_factory.getbasetemp() / f"before-{number}", symlinks=True)
            before.append(tmp_path_factory.getbasetemp() / f"before-{number}")
    return before


def _copy(source: Path, target: Path) -> None:
    """A folder's contents, or a file into a folder, as COPY does."""
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


class TestWhatIsSent:
    def test_no_document_no_secret_and_no_history_of_the_clone(self, sent: Path) -> None:
        names = {path.name for path in sent.iterdir()}
        packages = {"configs", "examples", "ingest", "ragapp", "ui"}
        assert names - {"Dockerfile", ".dockerignore"} == packages | {
            "Makefile",
            "pyproject.toml",
            "README.md",
            "LICENSE",
        }
        assert [path.name for path in (sent / "examples").iterdir()] == ["documents"]
        assert not [path for path in sent.rglob("*") if path.name == "__pycache__" or path.suffix == ".pyc"]

    @pytest.mark.parametrize(
        "name", [".env", "secrets/qdrant_api_key", "service.env", ".data/catalog.db", ".git/config"]
    )
    def test_what_must_stay_at_home_would(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
        patterns = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        assert name not in exclude_paths(str(tmp_path), [line for line in patterns if not line.startswith("#")])


class TestSetUp:
    def test_it_calls_the_words_that_a_person_calls(self) -> None:
        called = [shlex.split(command) for command in commands()]
        made = [words for words in called if "make" in words and "apt-get" not in words]
        assert [words[words.index("make") :] for words in made] == [["make", "setup", "SET=cpu"]]
        assert ("ARG", "SET=gpu") in steps()

    def test_what_is_copied_before_it_is_enough_for_it(self, image: list[Path]) -> None:
        before = next(folder for folder in image if (folder / "Makefile").exists())
        # set up before the code is there, so that a change of code doesn't install everything anew
        assert not (before / "ragapp").exists()
        told = subprocess.run(
            ["make", "--dry-run", "setup", "SET=cpu"],
            cwd=before,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert told.returncode == 0, told.stderr
        assert told.stdout.splitlines()[0] == "configs/setup/install cpu"
        for name in ("install", "sources"):
            assert os.access(before / "configs/setup" / name, os.X_OK) or name == "sources"
            assert (before / "configs/setup" / name).is_file()

    @pytest.mark.parametrize("moment", ["before the code is there", "with it"])
    def test_this_package_can_be_installed_from_it(self, image: list[Path], tmp_path: Path, moment: str) -> None:
        """The last step of the set-up: an editable package, with nothing fetched."""
        before = [folder for folder in image if (folder / "Makefile").exists()]
        folder = before[0] if moment == "before the code is there" else before[-1]
        uv = Path(sys.executable).parent / "uv"
        command = [uv, "pip", "install", "--offline", "--no-deps", "--no-build-isolation", "--python", sys.executable]
        done = subprocess.run(
            [*command, "--target", tmp_path, "--editable", folder],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        [link] = tmp_path.glob("*.pth")
        assert link.read_text().strip() == str(folder)

    def test_the_code_in_it_runs(self, image: list[Path], tmp_path: Path) -> None:
        environment = {"PATH": "/usr/bin:/bin", "RAGAPP_DATA": str(tmp_path), "RAGAPP_PROFILE": "gpu"}
        program = (
            "import ragapp, ui; from ragapp.bundled import configs_folder, examples_folder; "
            "from ragapp.settings import Settings; "
            "print(ragapp.__file__, Settings().profile, configs_folder(), examples_folder())"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=image[-1], env=environment, capture_output=True, text=True, check=False
        )
        code, profile, configs, examples = done.stdout.split()
        assert (code, profile) == (str(image[-1] / "ragapp" / "__init__.py"), "gpu"), done.stderr
        assert (configs, examples) == (str(image[-1] / "configs"), str(image[-1] / "examples" / "documents"))

    def test_what_the_compose_file_runs_in_it_is_there(self, image: list[Path]) -> None:
        for name in ("service", "page"):
            for word in services()[name]["healthcheck"]["test"]:
                if word.startswith("/app/configs"):
                    assert (image[-1] / Path(word).relative_to("/app")).is_file()

    def test_a_mirrors_address_and_password_stay_in_no_layer(self) -> None:
        mounts = [value for instruction, value in steps() if instruction == "RUN" and "make setup" in value]
        assert all("--mount=type=secret,id=pip.conf,target=/etc/pip.conf" in value for value in mounts)
        assert {_argument(value)[0] for instruction, value in steps() if instruction == "ARG"} == {"SET", "PACKAGES"}


class TestWhatRuns:
    def test_nobody_is_root_and_the_number_is_the_compose_files(self) -> None:
        for file, name in (
            ("Dockerfile", "service"),
            ("Dockerfile", "page"),
            ("configs/compose/proxy.Dockerfile", "proxy"),
        ):
            assert [value for instruction, value in steps(file) if instruction == "USER"] == [services()[name]["user"]]

    def test_the_data_folder_is_the_one_that_is_mounted_and_belongs_to_that_user(self) -> None:
        [environment] = [value for instruction, value in steps() if instruction == "ENV"]
        variables = dict(word.split("=", 1) for word in shlex.split(environment))
        mounted = [mount.split(":")[1] for mount in services()["service"]["volumes"]]
        assert mounted == [variables["RAGAPP_DATA"], variables["HOME"]]
        assert "install --directory --owner ragapp --group ragapp --mode 0700 /data" in commands()
        assert "useradd --uid 10001 --gid ragapp --create-home ragapp" in commands()

    @pytest.mark.parametrize("name", ["service", "page"])
    def test_the_commands_are_ones_that_ragapp_has(self, name: str) -> None:
        assert ("ENTRYPOINT", '["ragapp"]') in steps()
        command, *options = services()[name]["command"]
        ragapp = Path(sys.executable).parent / "ragapp"
        told = subprocess.run(
            [ragapp, command, "--help"], capture_output=True, text=True, timeout=60, check=True
        ).stdout
        assert all(option in told for option in options if option.startswith("--"))

    @pytest.mark.parametrize("file", ["Dockerfile", "configs/compose/proxy.Dockerfile"])
    def test_what_it_stands_on_is_pinned(self, file: str) -> None:
        for base in [value for instruction, value in steps(file) if instruction == "FROM"]:
            assert re.search(r":\d+\.\d+\.\d+-", base), f"{base} can change from one day to the next"

    def test_its_python_is_one_that_the_set_up_takes(self) -> None:
        [base] = [value for instruction, value in steps() if instruction == "FROM"]
        release = re.match(r"python:(3\.\d+)\.", base)
        assert release and release[1] in (ROOT / "configs/setup/install").read_text()

    def test_no_program_is_piped_from_the_network(self) -> None:
        assert not [command for command in commands() if re.search(r"\b(curl|wget)\b", command)]


def test_the_wheel_has_none_of_it() -> None:
    import tomllib

    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert "configs/compose" in wheel["exclude"]
