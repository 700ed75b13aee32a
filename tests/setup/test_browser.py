"""A Chromium for the tests of the page: found, else installed where one may, else named; never a reason to fail."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "configs" / "setup" / "browser"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder of programs, with only what every machine has."""
    for name in ("bash", "env"):
        (tmp_path / name).symlink_to(Path("/bin") / name if (Path("/bin") / name).exists() else f"/usr/bin/{name}")
    return tmp_path


def program(machine: Path, name: str, body: str) -> None:
    path = machine / name
    path.write_text(f"#!/bin/bash\n{body}\n")
    path.chmod(0o755)


def made_sure(machine: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        ["/bin/bash", SCRIPT], env={"PATH": str(machine)}, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("name", ["chromium", "google-chrome"])
def test_what_is_there_is_enough(machine: Path, name: str) -> None:
    program(machine, name, "exit 9")
    program(machine, "apt-get", "exit 9")
    assert made_sure(machine).stderr == ""


def test_root_gets_the_systems_own(machine: Path) -> None:
    program(machine, "id", "echo 0")
    program(machine, "apt-get", f'echo "$@" >>{machine}/asked')
    assert "Installing" in made_sure(machine).stderr
    asked = (machine / "asked").read_text().splitlines()
    assert asked[0].startswith("update")
    assert asked[1].startswith("install") and asked[1].endswith(" chromium")


def test_where_it_can_not_be_installed_it_is_named(machine: Path) -> None:
    program(machine, "id", "echo 0")
    program(machine, "apt-get", "exit 100")
    assert "could not be installed" in made_sure(machine).stderr


def test_nobody_elses_machine_is_changed(machine: Path) -> None:
    program(machine, "id", "echo 1000")
    program(machine, "apt-get", f"touch {machine}/asked")
    said = made_sure(machine).stderr
    assert "apt-get install chromium" in said
    assert not os.path.lexists(machine / "asked")
