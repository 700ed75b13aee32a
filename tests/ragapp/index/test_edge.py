"""The embedded index: one owner, crashes, damage, and the search graph built beside it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import ragapp.index.edge as module
from ragapp.access import Scope
from ragapp.errors import IndexLocked, IndexUnavailable, StorageFull
from ragapp.index.base import Point, SparseVector
from ragapp.index.edge import EdgeIndex, open_edge
from ragapp.types import Chunk

from ...holding import holding

DIMENSIONS = 16
ALL = Scope(frozenset({"everyone"}))


def points(count: int, document: str = "a", revision: int = 1) -> list[Point]:
    vectors = np.random.default_rng(count).normal(size=(count, DIMENSIONS)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return [
        Point(
            Chunk(document, revision, i, "", 0, 0).point_id,
            vectors[i],
            SparseVector((i % 7,), (1.0,)),
            {"document_id": document, "revision": revision, "ordinal": i, "groups": ["everyone"], "text_hash": str(i)},
        )
        for i in range(count)
    ]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[EdgeIndex]:
    opened = open_edge(tmp_path, "f00", DIMENSIONS)
    yield opened
    opened.close()


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False
    )


OPEN = (
    "import sys, pathlib, os, signal\n"
    "from ragapp.errors import RagappError\n"
    "from ragapp.index.edge import open_edge\n"
    "try:\n"
    "    index = open_edge(pathlib.Path(sys.argv[1]), 'f00', 16)\n"
    "except RagappError as error:\n"
    "    print(type(error).__name__, error)\n"
    "    raise SystemExit\n"
)


def test_what_was_written_is_there_when_opened_again(index: EdgeIndex, tmp_path: Path) -> None:
    index.upsert(points(10))
    index.flush()
    index.close()
    again = open_edge(tmp_path, "f00", DIMENSIONS)
    assert again.count(ALL) == 10
    again.close()


def test_each_embedding_model_has_its_own_index(index: EdgeIndex, tmp_path: Path) -> None:
    index.upsert(points(3))
    other = open_edge(tmp_path, "f11", 4)
    assert other.count() == 0
    other.close()


# one owner


def test_a_second_process_is_told_who_has_it_since_when_and_what_to_do(index: EdgeIndex, tmp_path: Path) -> None:
    refused = run(OPEN, tmp_path)
    assert refused.stdout.startswith(f"IndexLocked The index in {index.folder} is in use by process {os.getpid()} (")
    assert ", since " in refused.stdout
    assert refused.stdout.strip().endswith("wait for it to finish or stop it, then try again.")
    assert "Traceback" not in refused.stderr


def test_the_same_process_can_not_open_it_twice(index: EdgeIndex, tmp_path: Path) -> None:
    with pytest.raises(IndexLocked, match="in use by this process itself"):
        open_edge(tmp_path, "f00", DIMENSIONS)
    index.upsert(points(1))
    assert index.count() == 1, "the refusal took nothing from the owner"


def test_closing_lets_the_next_one_in(index: EdgeIndex, tmp_path: Path) -> None:
    index.close()
    index.close()
    assert run(OPEN + "print(index.count())", tmp_path).stdout.strip() == "0"


def test_an_owner_that_was_killed_leaves_no_lock(index: EdgeIndex, tmp_path: Path) -> None:
    index.close()
    assert run(OPEN + "os.kill(os.getpid(), signal.SIGKILL)", tmp_path).returncode == -9
    again = open_edge(tmp_path, "f00", DIMENSIONS)
    assert again.count() == 0
    again.close()


# crashes and damage


def test_what_was_flushed_survives_a_kill_in_the_middle_of_writing(index: EdgeIndex, tmp_path: Path) -> None:
    index.upsert(points(50))
    index.flush()
    index.close()
    script = (
        "import sys; sys.path.insert(0, sys.argv[2])\n" + OPEN + "import threading, time\n"
        "from tests.ragapp.index.test_edge import points\n"
        "threading.Thread(target=lambda: (time.sleep(0.3), os.kill(os.getpid(), signal.SIGKILL))).start()\n"
        "while True: index.upsert(points(200, 'b'))\n"
    )
    assert run(script, tmp_path, Path(__file__).parents[3]).returncode == -9
    again = open_edge(tmp_path, "f00", DIMENSIONS)
    assert len(again.chunks("a", 1, range(50), ALL)) == 50
    again.delete_document("b")
    assert again.count() == 50
    again.close()


def test_a_kill_while_it_is_first_made_leaves_none_or_a_whole_one(tmp_path: Path) -> None:
    script = (
        "import ragapp.index.edge as m, os, signal\n"
        "made = m._create\n"
        "def dies(*a):\n"
        "    made(*a)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "m._create = dies\n"
    )
    assert run(script + OPEN, tmp_path).returncode == -9
    index = open_edge(tmp_path, "f00", DIMENSIONS)
    index.upsert(points(2))
    assert index.count() == 2
    index.close()
    assert sorted(path.name for path in (tmp_path / "index").iterdir()) == ["ragapp-f00", "ragapp-f00.owner"]


def test_a_damaged_index_is_one_sentence_and_stays_as_it_is(index: EdgeIndex, tmp_path: Path) -> None:
    index.upsert(points(5))
    index.close()
    states = list(index.folder.glob("segments/*/segment.json"))
    assert states
    states[0].write_text("garbage")
    with pytest.raises(IndexUnavailable, match=r"is damaged \(.*\); put a copy of it back"):
        open_edge(tmp_path, "f00", DIMENSIONS)
    assert states[0].read_text() == "garbage"
    with pytest.raises(IndexUnavailable):
        open_edge(tmp_path, "f00", DIMENSIONS)


def test_a_file_in_the_way_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "index").write_text("a file")
    with pytest.raises(IndexUnavailable, match="can't be used"):
        open_edge(tmp_path, "f00", DIMENSIONS)


def test_a_vector_of_the_wrong_length_is_refused(index: EdgeIndex) -> None:
    with pytest.raises(IndexUnavailable, match="dim"):
        index.dense(np.ones(3, np.float32), ALL, 5)


# the search graph


@pytest.fixture
def small_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph is worth building for a hundred chunks already."""
    monkeypatch.setattr(module, "_GRAPH_FROM_KB", 1)


def test_few_chunks_need_no_graph(index: EdgeIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    index.upsert(points(100))
    monkeypatch.setattr(module, "build_beside", lambda *_: pytest.fail("copied a small index"))
    index.optimize()


def test_the_graph_is_built_while_searches_go_on_and_writes_wait(
    tmp_path: Path, small_graph: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = open_edge(tmp_path, "f00", DIMENSIONS)
    index.upsert(points(500))
    entered, leave = threading.Event(), threading.Event()
    real = module.build_beside

    def slowly(folder: Path, spare_bytes: int, *asked: None) -> Path | None:
        draft = real(folder, spare_bytes, *asked)
        entered.set()
        leave.wait(30)
        return draft

    monkeypatch.setattr(module, "build_beside", slowly)
    builder = threading.Thread(target=index.optimize)
    writer = threading.Thread(target=lambda: index.upsert(points(5, "late")))
    builder.start()
    assert entered.wait(60)
    writer.start()
    assert len(index.dense(points(1)[0].dense, ALL, 10)) == 10
    assert index.count() == 500
    leave.set()
    builder.join(60)
    writer.join(60)
    assert index.count() == 505
    assert module._without_graph(index._shard) < 505
    index.close()
    again = open_edge(tmp_path, "f00", DIMENSIONS)
    assert again.count() == 505
    again.close()
    assert sorted(path.name for path in (tmp_path / "index").iterdir()) == ["ragapp-f00", "ragapp-f00.owner"]


def test_a_graph_that_can_not_be_built_leaves_the_index_as_it_was(
    tmp_path: Path, small_graph: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = open_edge(tmp_path, "f00", DIMENSIONS)
    index.upsert(points(500))
    monkeypatch.setattr("ragapp.index.graph._CHILD", "raise SystemExit('no memory left')")
    with pytest.raises(IndexUnavailable, match=r"could not be built \(no memory left\); searches work without it"):
        index.optimize()
    assert index.count(ALL) == 500
    assert [path.name for path in (tmp_path / "index").iterdir() if path.name.endswith(".graph")] == []
    index.close()


def test_a_graph_that_was_stopped_leaves_the_index_as_it_was_and_the_next_call_builds_it(
    small_graph: None, index: EdgeIndex
) -> None:
    index.upsert(points(500))
    index.optimize(stop=lambda: True)
    assert index.count(ALL) == 500 and module._without_graph(index._shard) >= 500
    index.optimize(stop=lambda: False)
    assert index.count(ALL) == 500 and module._without_graph(index._shard) < 500


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """What the operating system says of a full disk; nothing else is replaced."""
    with monkeypatch.context() as patched:
        yield patched


def fill(patched: pytest.MonkeyPatch, free: int) -> None:
    patched.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=1 << 40, used=(1 << 40) - free, free=free))


def test_a_full_disk_refuses_writes_before_the_kernel_ends_the_process(
    index: EdgeIndex, full_disk: pytest.MonkeyPatch
) -> None:
    index.upsert(points(10))
    fill(full_disk, 100 << 20)
    with pytest.raises(StorageFull, match=r"is full, or has under 192 MiB .* free some space and run again"):
        index.upsert(points(5, "b"))
    assert index.count() == 10
    assert len(index.dense(points(1)[0].dense, ALL, 5)) == 5
    index.delete_document("a")
    assert index.count() == 0, "deleting frees space and is always possible"


def test_a_full_disk_refuses_a_new_index(tmp_path: Path, full_disk: pytest.MonkeyPatch) -> None:
    fill(full_disk, 1 << 20)
    with pytest.raises(StorageFull):
        open_edge(tmp_path, "f00", DIMENSIONS)
    assert not (tmp_path / "index" / "ragapp-f00").exists()


def test_no_room_for_the_graph_is_one_sentence(
    tmp_path: Path, small_graph: None, full_disk: pytest.MonkeyPatch
) -> None:
    index = open_edge(tmp_path, "f00", DIMENSIONS)
    index.upsert(points(500))
    fill(full_disk, 192 << 20)
    with pytest.raises(StorageFull, match="free some space"):
        index.optimize()
    assert index.count() == 500
    index.close()


@pytest.mark.parametrize("killed_at", ["copy", "between"])
def test_a_kill_while_the_graph_is_exchanged_loses_nothing(tmp_path: Path, killed_at: str) -> None:
    index = open_edge(tmp_path, "f00", DIMENSIONS)
    index.upsert(points(20))
    index.close()
    folder = index.folder
    if killed_at == "copy":
        shutil.copytree(folder / "segments", folder.with_name(folder.name + ".graph") / "segments")
    else:
        shutil.copytree(folder, folder.with_name(folder.name + ".graph"))
        folder.rename(folder.with_name(folder.name + ".old"))
    again = open_edge(tmp_path, "f00", DIMENSIONS)
    assert again.count() == 20
    again.close()
    assert sorted(path.name for path in (tmp_path / "index").iterdir()) == ["ragapp-f00", "ragapp-f00.owner"]


def test_a_killed_owner_takes_the_builder_with_it(tmp_path: Path) -> None:
    script = (
        "import ragapp.index.graph as g, pathlib, sys\n"
        "g._CHILD = g._CHILD.split('from qdrant_edge')[0] + '''\n"
        "print(os.getpid(), flush=True, file=open(sys.argv[1] + '/pid', 'w'))\n"
        "import time; time.sleep(60)\n"
        "'''\n"
        "g._run(pathlib.Path(sys.argv[1]))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)])
    note = tmp_path / "pid"
    deadline = time.monotonic() + 30
    while not (note.exists() and note.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.05)
    child = int(note.read_text())
    parent.send_signal(signal.SIGKILL)
    parent.wait(30)
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        # a zombie is dead; who inherits it decides when it is buried
        if Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            break
        time.sleep(0.05)
    else:
        assert not Path(f"/proc/{child}").exists()


# threads


def test_searches_and_writes_from_many_threads_keep_their_order(index: EdgeIndex) -> None:
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for revision in (1, 2, 3):
                index.upsert(points(20, name, revision))
                assert len(index.chunks(name, revision, range(20), ALL)) == 20
                index.delete_document(name, keep_revision=revision)
                index.dense(points(1)[0].dense, ALL, 5)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(f"d{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert index.count() == 80


def test_the_owner_file_names_a_process_that_can_be_told_from_a_later_one(index: EdgeIndex) -> None:
    note = json.loads(index.folder.with_name(index.folder.name + ".owner").read_text())
    assert note["pid"] == os.getpid()
    from ragapp.catalog.process import is_running

    assert is_running(note["mark"])
    boot, pid, ticks = note["mark"].split(":")
    assert not is_running(f"{boot}:{pid}:{int(ticks) + 1}")
    assert not is_running("") and not is_running("x:y:z")


@pytest.mark.parametrize("died_at", ["deleting", "clearing"])
def test_dead_chunks_are_cleared_out_whenever_a_crash_came(
    index: EdgeIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, died_at: str
) -> None:
    """BM25 may count dead chunks until they are cleared out: that there are any must never be forgotten."""
    index.upsert(points(40))
    index.flush()

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if died_at == "clearing":
            index.delete_document("a")
        patch.setattr(index, "_update" if died_at == "deleting" else "flush", dies)
        with pytest.raises(KeyboardInterrupt):
            index.delete_document("a") if died_at == "deleting" else index.optimize()
    index.close()
    with closing(open_edge(tmp_path, "f00", DIMENSIONS)) as again:
        assert again._dead() == 40
        again.optimize()
        assert again._dead() == 0


@pytest.mark.parametrize("in_place", [5000, 10])
def test_clearing_out_leaves_nothing_of_deleted_chunks_in_any_file(
    index: EdgeIndex, monkeypatch: pytest.MonkeyPatch, in_place: int, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "_IN_PLACE", in_place)
    secret = b"Zanzibarquux"
    told = [replace(each, payload={**each.payload, "text": secret.decode()}) for each in points(8, "old")]
    index.upsert([*points(40), *told])
    index.flush()
    index.delete_document("old")
    assert holding(index.folder, secret), "deleting alone leaves them"
    assert index.clear_out()
    assert holding(index.folder.parent, secret) == [] and index._dead() == 0
    # what is written after it counts, here and for the next process
    index.delete_document("a", before=2)
    index.upsert(points(3, "b"))
    index.set_groups("b", frozenset({"hr"}))
    index.flush()
    index.close()
    with closing(open_edge(tmp_path, "f00", DIMENSIONS)) as again:
        assert again.count() == again.count(Scope(frozenset({"hr"}))) == 3


def test_clearing_out_what_was_cleared_before_is_harmless(index: EdgeIndex) -> None:
    index.upsert(points(5))
    index.flush()
    assert index.clear_out() and index.clear_out()
    assert index.count() == 5
