"""A data folder that can't be written is one sentence that names it, whatever the command; never a trace."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ragapp.catalog.catalog import Catalog

from ...rights import ordinary_user

COMMANDS = (
    ["status"],
    ["people", "add", "eve"],
    ["ingest", "{room}/a.md"],
    ["restore", "{room}/none.tar.gz", "--force"],
    ["serve", "--port", "0"],
)
MOUNTED = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && shift 0 && exec "$@"'


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "a.md").write_text("# A")
    Catalog.open(tmp_path / "data").close()
    return tmp_path / "data"


def said(before: list[str], command: list[str], data: Path) -> str:
    words = [word.format(room=data.parent) for word in command]
    done = subprocess.run(
        [*before, sys.executable, "-m", "ragapp", *words, "--data", str(data)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stdout + done.stderr
    (sentence,) = done.stderr.splitlines()
    return sentence


@pytest.mark.parametrize("command", COMMANDS, ids=[words[0] for words in COMMANDS])
def test_on_a_disk_that_is_mounted_read_only(data: Path, command: list[str]) -> None:
    alone = ["unshare", "-m", "sh", "-c", MOUNTED, str(data)]
    if os.geteuid() or subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mounts are allowed here")
    before = sorted(path.name for path in data.iterdir())
    sentence = said(alone, command, data)
    assert f"The data folder {data} can't be written" in sentence and "ead-only" in sentence
    assert "choose another --data" in sentence
    assert sorted(path.name for path in data.iterdir()) == before


@pytest.mark.parametrize("command", COMMANDS, ids=[words[0] for words in COMMANDS])
def test_where_this_user_has_no_right_to_write(data: Path, command: list[str]) -> None:
    bound = ordinary_user()
    for path in (*data.iterdir(), data):
        path.chmod(0o555 if path.is_dir() else 0o444)
    sentence = said(bound, command, data)
    assert f"The data folder {data} can't be written" in sentence and "choose another --data" in sentence
    assert "Permission denied" in sentence or "no right to" in sentence
