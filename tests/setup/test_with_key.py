"""with-key starts Qdrant with the key of its secret file, and with no key doesn't start it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .composed import ROOT, services

WITH_KEY = ROOT / "configs" / "compose" / "with-key"
KEY = "0123456789abcdef" * 4


def with_key(file: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", WITH_KEY, file, *command], capture_output=True, text=True, timeout=30, check=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "key"
    file.write_text(KEY)
    return file


def test_the_compose_file_starts_qdrant_through_it() -> None:
    qdrant = services()["qdrant"]
    [mounted] = qdrant["configs"]
    assert qdrant["entrypoint"] == ["sh", mounted["target"], "/run/secrets/qdrant_api_key"]
    # what the image itself starts
    assert qdrant["command"] == ["./entrypoint.sh"]


def test_the_command_has_the_key_in_its_environment(file: Path) -> None:
    assert with_key(file, "printenv", "QDRANT__SERVICE__API_KEY").stdout.strip() == KEY


def test_a_line_s_end_is_no_part_of_the_key(file: Path) -> None:
    file.write_text(KEY + "\n")
    assert with_key(file, "printenv", "QDRANT__SERVICE__API_KEY").stdout == KEY + "\n"


def test_the_command_gets_its_words_as_they_are(file: Path) -> None:
    assert with_key(file, "printf", "%s|", "two words", "$HOME").stdout == "two words|$HOME|"


def test_the_command_takes_its_place_and_hears_signals(file: Path) -> None:
    program = (
        "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); "
        "print('up', flush=True); signal.pause()"
    )
    running = subprocess.Popen(
        ["sh", str(WITH_KEY), str(file), sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    )
    assert running.stdout and running.stdout.readline() == "up\n"
    os.kill(running.pid, signal.SIGTERM)
    assert running.wait(timeout=10) == 7


@pytest.mark.parametrize("text", ["", "\n", "too short"])
def test_without_a_key_nothing_is_started(file: Path, text: str) -> None:
    file.write_text(text)
    done = with_key(file, "echo", "started")
    assert done.returncode == 2
    assert done.stdout == ""
    assert f"The key in {file} has fewer than 32 characters" in done.stderr


def test_without_the_file_nothing_is_started(tmp_path: Path) -> None:
    done = with_key(tmp_path / "missing", "echo", "started")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "can't be read; on the host, run: make secrets" in done.stderr
