"""One service has a data folder: a second one is refused before it writes anything, and a killed one leaves no trace
that matters."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ragapp.catalog.process import own_mark
from ragapp.errors import IndexLocked
from ragapp.index.owner import Ownership, is_held_here
from ragapp.serve.run import NOTE, held, running, told

HOLDS = """
import sys, time
from pathlib import Path
from ragapp.serve.run import held, told
with held(Path(sys.argv[1])) as holding, told(Path(sys.argv[1]), "http://127.0.0.1:9", "first", holding):
    print("holds", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def first(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that serves a data folder as far as anybody can tell."""
    command = [sys.executable, "-c", HOLDS, str(tmp_path / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "holds\n"
        try:
            yield process
        finally:
            process.kill()


def everything(data: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in (data, *data.rglob("*"))
    }


@pytest.mark.parametrize("command", ["serve", "up"])
def test_a_second_one_is_refused_before_it_writes(first: subprocess.Popen[str], tmp_path: Path, command: str) -> None:
    data = tmp_path / "data"
    before = everything(data)
    assert {path.name for path in data.iterdir()} == {".owner", NOTE}
    arguments = [sys.executable, "-m", "ragapp", command, "--port", "0", "--data", str(data)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 2
    (said,) = done.stderr.splitlines()
    assert f"process {first.pid}" in said and str(data) in said and "stop it first" in said
    assert everything(data) == before, "no note, no catalog, no log"
    assert running(data) == ("http://127.0.0.1:9", "first")


def test_the_note_is_written_by_nobody_else_and_taken_away_by_nobody_else(
    first: subprocess.Popen[str], tmp_path: Path
) -> None:
    with pytest.raises(IndexLocked, match=f"process {first.pid}"), told(tmp_path / "data", "http://127.0.0.1:1", "me"):
        pytest.fail("it was let in")
    assert running(tmp_path / "data") == ("http://127.0.0.1:9", "first")


def test_a_note_that_another_has_written_stays(tmp_path: Path) -> None:
    with told(tmp_path, "http://127.0.0.1:1", "mine"):
        other = json.dumps({"url": "http://127.0.0.1:2", "secret": "other", "mark": own_mark()})
        (tmp_path / NOTE).write_text(other)
    assert running(tmp_path) == ("http://127.0.0.1:2", "other")


def test_what_a_killed_one_left_is_harmless(first: subprocess.Popen[str], tmp_path: Path) -> None:
    data = tmp_path / "data"
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert (data / NOTE).exists() and running(data) is None, "nobody hands work to it"
    with told(data, "http://127.0.0.1:1", "next"):
        assert running(data) == ("http://127.0.0.1:1", "next")
    assert not list(data.iterdir())


def test_one_of_an_older_version_has_its_note_alone(first: subprocess.Popen[str], tmp_path: Path) -> None:
    older = tmp_path / "older"
    older.mkdir()
    (older / NOTE).write_bytes((tmp_path / "data" / NOTE).read_bytes())
    with pytest.raises(IndexLocked, match=f"process {first.pid}, a service at"), held(older):
        pytest.fail("it was let in")
    assert [path.name for path in older.iterdir()] == [NOTE]


def test_a_lock_that_was_taken_away_between_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever lets go removes the file: one that was opened before that and locked after it is nobody's."""
    from ragapp.index import owner

    real, opened = owner._locked, []

    def late(path: Path) -> object:
        found = real(path)
        if not opened:
            path.unlink()
        opened.append(found)
        return found

    monkeypatch.setattr(owner, "_locked", late)
    holding = Ownership.of_folder(tmp_path)
    assert len(opened) == 2 and is_held_here(tmp_path)
    holding.release()
    assert not is_held_here(tmp_path) and not list(tmp_path.iterdir())
