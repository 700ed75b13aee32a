"""make secrets: what Docker Compose needs and git must not have is made once, at random, and never written over."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from .composed import ROOT, whole

PREPARE = ROOT / "configs" / "compose" / "prepare"


def prepare(folder: Path, *arguments: str, umask: int = 0o022) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "COMPOSE_FOLDER": str(folder)}
    return subprocess.run(
        [PREPARE, *arguments], env=environment, capture_output=True, text=True, timeout=30, check=False, umask=umask
    )


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_each_secret_that_the_compose_file_names_is_made(tmp_path: Path) -> None:
    assert prepare(tmp_path, "gpu").returncode == 0
    for secret in whole()["secrets"].values():
        assert re.fullmatch(r"[0-9a-f]{64}", (tmp_path / secret["file"]).read_text())


def test_no_two_are_the_same(tmp_path: Path) -> None:
    made = set()
    for name in "abc":
        (tmp_path / name).mkdir()
        prepare(tmp_path / name, "cpu")
        made.add((tmp_path / name / "secrets/qdrant_api_key").read_text())
    assert len(made) == 3


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_containers_can_read_the_file_and_nobody_on_the_host_gets_to_it(tmp_path: Path, umask: int) -> None:
    assert prepare(tmp_path, "gpu", umask=umask).returncode == 0
    assert mode(tmp_path / "secrets") == 0o700
    assert mode(tmp_path / "secrets/qdrant_api_key") == 0o444


def test_what_compose_mounts_is_readable_in_a_clone_made_under_a_strict_umask(tmp_path: Path) -> None:
    mounted = [tmp_path / config["file"] for config in whole()["configs"].values()]
    for file in mounted:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
    assert prepare(tmp_path, "gpu").returncode == 0
    assert [mode(file) & 0o444 for file in mounted] == [0o444] * len(mounted)


@pytest.mark.parametrize("chosen", ["gpu", "cpu"])
def test_the_choice_of_the_machine_is_compose_s_profile(tmp_path: Path, chosen: str) -> None:
    prepare(tmp_path, chosen)
    assert f"COMPOSE_PROFILES={chosen}" in (tmp_path / ".env").read_text().splitlines()


def test_what_is_there_stays_and_is_named(tmp_path: Path) -> None:
    prepare(tmp_path, "gpu")
    key = (tmp_path / "secrets/qdrant_api_key").read_text()
    (tmp_path / ".env").write_text("COMPOSE_PROFILES=gpu,tls\n")
    again = prepare(tmp_path, "cpu")
    assert again.returncode == 0
    assert again.stderr.count("is there already and stays as it is") == 2
    assert (tmp_path / "secrets/qdrant_api_key").read_text() == key
    assert (tmp_path / ".env").read_text() == "COMPOSE_PROFILES=gpu,tls\n"
    assert [path.name for path in (tmp_path / "secrets").iterdir()] == ["qdrant_api_key"]


def test_the_secret_is_not_shown(tmp_path: Path) -> None:
    done = prepare(tmp_path, "gpu")
    assert (tmp_path / "secrets/qdrant_api_key").read_text() not in done.stdout + done.stderr


def test_an_empty_key_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/qdrant_api_key").touch()
    done = prepare(tmp_path, "gpu")
    assert done.returncode == 2
    assert done.stderr == "secrets/qdrant_api_key is empty; remove it and run this again.\n"


def test_a_set_that_is_none_changes_nothing(tmp_path: Path) -> None:
    done = prepare(tmp_path, "tpu")
    assert done.returncode == 2
    assert "There is no set tpu; it is gpu or cpu" in done.stderr
    assert not list(tmp_path.iterdir())


def test_make_hands_it_the_set_of_this_machine_and_needs_no_set_up(tmp_path: Path) -> None:
    told = subprocess.run(
        ["make", "--dry-run", "secrets", "SET=cpu"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    assert told.stdout.split() == ["configs/compose/prepare", "cpu"]
