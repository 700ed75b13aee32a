"""The embedded index's log of writes, which keeps the text of deleted chunks until its files have been used up.

Qdrant Edge writes its log into files of 32 MiB, and drops one when all that is in it was flushed and another is begun.
The files can't be emptied: after it the shard would take what is written next for older than what it has, and drop it
without a word (qdrant-edge-py 0.9). So the log is filled up with writes that change nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import qdrant_edge as edge

from ragapp.index.edge_requests import is_value

_FILLING = {"filling": "0" * 2_000_000}
_MOST_WRITES = 200
"""Some 400 MB: more than its three files hold."""


def write_nothing(shard: Any) -> None:
    """A write that means no chunk and takes 2 MB of the log, flushed."""
    nobody = edge.Filter(must=[is_value("document_id", ""), is_value("revision", -1)])
    shard.update(edge.UpdateOperation.set_payload_by_filter(nobody, _FILLING))
    shard.flush()


def roll_over(folder: Path, write: Callable[[], None]) -> bool:
    """Write until no file of the log is left that was begun before; False where they don't go."""
    with ExitStack() as held:
        # by what is held open of them: a full one gets another name, and a new one may get an old one's number
        before = [held.enter_context(path.open("rb")) for path in _begun(folder)]
        for _ in range(_MOST_WRITES):
            if not any(os.fstat(file.fileno()).st_nlink for file in before):
                return True
            write()
    return False


def _begun(folder: Path) -> list[Path]:
    """The log's files that hold something: all but the last open one, which is made ahead of its use."""
    opened = sorted(folder.glob("open-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    return [*folder.glob("closed-*"), *opened[:-1]]
