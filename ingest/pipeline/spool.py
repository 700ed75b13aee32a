"""The pieces of one document on disk, between the process that cut them and the one that embeds them.

So a run's memory doesn't grow with the size of a document, and what waits for the embedder waits outside it.
"""

from __future__ import annotations

import errno
import pickle
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TypeVar

from ragapp.errors import StorageFull

T = TypeVar("T")

_PAGE = 256
"""Pieces that are written and read together: as many as are embedded together."""


def spool(pieces: Iterable[T], path: Path) -> int:
    """Write pieces to a file; returns how many. Raises StorageFull where they don't fit on the disk."""
    coming, count = iter(pieces), 0
    try:
        with path.open("wb") as file:
            while page := list(islice(coming, _PAGE)):
                pickle.dump(page, file, pickle.HIGHEST_PROTOCOL)
                count += len(page)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise StorageFull(
            f"The disk of {path.parent} is full; free some space and run again (nothing was lost)."
        ) from None
    return count


def unspool(path: Path) -> Iterator[T]:
    """The pieces in their order, some in memory at a time; their file is gone after the last."""
    with path.open("rb") as file:
        while file.peek(1):
            yield from pickle.load(file)  # noqa: S301 written by our own worker
    path.unlink()
