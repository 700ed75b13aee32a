"""The temporary folder of an engine: its own, private, short enough for sockets, and gone with whoever made it."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ragapp.engine.temporary import TemporaryFolder
from ragapp.errors import EngineError

_LEFT_BY_A_KILLED_PROCESS = (
    "import os, signal; from ragapp.engine.temporary import TemporaryFolder\n"
    "(TemporaryFolder().path / 'socket').touch(); os.kill(os.getpid(), signal.SIGKILL)"
)


@pytest.fixture
def parent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What stands for /tmp, with a path as short."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def test_it_is_private_and_goes_with_all_that_is_in_it(parent: Path) -> None:
    folder = TemporaryFolder()
    assert folder.path.parent == parent
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    (folder.path / "torchinductor").mkdir()
    (folder.path / "torchinductor" / "code.py").touch()
    folder.remove()
    assert list(parent.iterdir()) == []


def test_what_a_killed_process_left_goes_and_what_is_in_use_stays(parent: Path) -> None:
    used = TemporaryFolder()
    killed = subprocess.run(
        [sys.executable, "-c", _LEFT_BY_A_KILLED_PROCESS], env=os.environ | {"TMPDIR": str(parent)}, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    other, linked = parent / "ragapp-engine-other", parent / "ragapp-engine-linked"
    other.mkdir()
    linked.symlink_to(other)
    assert len(list(parent.iterdir())) == 4
    new = TemporaryFolder()
    assert set(parent.iterdir()) == {used.path, new.path, other, linked}
    new.remove()
    used.remove()


def test_where_paths_are_too_long_for_sockets_it_lies_in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 60)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    folder = TemporaryFolder()
    try:
        assert folder.path.parent == Path("/tmp")
    finally:
        folder.remove()


def test_where_it_can_not_be_made_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/proc/nowhere")
    with pytest.raises(EngineError, match=r"temporary folder \(No such file.*set TMPDIR"):
        TemporaryFolder()
