"""Index and catalog together: a process that is killed at any step leaves work to do again, and never a lie."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ragapp.access import LOCAL, scope
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.rows import DocumentRow
from ragapp.index.base import Point, SparseVector
from ragapp.index.edge import EdgeIndex, open_edge
from ragapp.index.schema import payload
from ragapp.types import Chunk, document_id

DOCUMENT = document_id("default", "a.md")
EVERYONE = frozenset({"everyone"})
STEPS = ("numbered", "half written", "written", "flushed", "committed", "collected")


def take_in(catalog: Catalog, index: EdgeIndex, words: list[str], stop: str = "") -> None:
    """What ingestion does with one document, as far as the step `stop`, where the process is killed."""
    import os
    import signal

    def reached(step: str) -> None:
        if step == stop:
            os.kill(os.getpid(), signal.SIGKILL)

    revision = catalog.next_revision(DOCUMENT)
    reached("numbered")
    written = [point(revision, ordinal, word) for ordinal, word in enumerate(words)]
    index.upsert(written[:2])
    reached("half written")
    index.upsert(written[2:])
    reached("written")
    index.flush()
    reached("flushed")
    catalog.commit_document(
        DocumentRow(DOCUMENT, "default", "a.md", revision, "0" * 64, 1, "A", "md", len(words), EVERYONE)
    )
    reached("committed")
    index.delete_document(DOCUMENT, keep_revision=revision)
    reached("collected")


def point(revision: int, ordinal: int, word: str) -> Point:
    chunk = Chunk(DOCUMENT, revision, ordinal, word, 0, len(word))
    kept = payload(
        chunk,
        gap="",
        page_starts=(),
        source="a.md",
        title="A",
        collection="default",
        groups=EVERYONE,
        file_type="md",
        modified=None,
        dated=None,
    )
    return Point(chunk.point_id, np.asarray([1, ordinal, 0, 0], np.float32), SparseVector((ordinal,), (1.0,)), kept)


def shown(catalog: Catalog, index: EdgeIndex) -> list[str]:
    """What a reader can get to see, in the order of the text."""
    hits = index.dense(np.asarray([1, 1, 1, 1], np.float32), scope(LOCAL), 50, exact=True)
    live = catalog.confirm([(hit.payload["document_id"], hit.payload["revision"]) for hit in hits], LOCAL)
    seen = [hit.payload for hit in hits if (hit.payload["document_id"], hit.payload["revision"]) in live]
    return [found["text"] for found in sorted(seen, key=lambda found: found["ordinal"])]


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_any_step_shows_the_old_or_the_new_text_and_running_again_heals(tmp_path: Path, step: str) -> None:
    old, new, newer = ["one", "two", "three", "four"], ["uno", "due", "tre"], ["eins"]
    catalog, index = Catalog.open(tmp_path), open_edge(tmp_path, "f00", 4)
    take_in(catalog, index, old)
    index.close()
    script = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[2])\n"
        "from test_commit_order import *\n"
        "data = pathlib.Path(sys.argv[1])\n"
        f"take_in(Catalog.open(data), open_edge(data, 'f00', 4), {new!r}, {step!r})\n"
    )
    arguments = [sys.executable, "-c", script, str(tmp_path), str(Path(__file__).parent)]
    assert subprocess.run(arguments, timeout=120, check=False).returncode == -9

    index = open_edge(tmp_path, "f00", 4)
    assert shown(catalog, index) == (new if step in ("committed", "collected") else old)
    take_in(catalog, index, newer)
    assert shown(catalog, index) == newer
    assert index.count() == 1, "what the dead process left is collected"
    index.close()
    catalog.close()


def test_a_removed_and_returned_document_never_shows_chunks_of_its_first_life(tmp_path: Path) -> None:
    catalog, index = Catalog.open(tmp_path), open_edge(tmp_path, "f00", 4)
    take_in(catalog, index, ["old", "older", "oldest"])
    # removed, and killed before the index could follow
    catalog.remove(DOCUMENT)
    assert shown(catalog, index) == []
    take_in(catalog, index, ["new"])
    assert shown(catalog, index) == ["new"]
    index.close()
    catalog.close()
