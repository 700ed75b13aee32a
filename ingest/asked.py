"""What a job is asked to do, as its row keeps it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.sources import printable
from ragapp.catalog.rows import JobKind, JobRow, OriginRow
from ragapp.errors import Unreadable
from ragapp.names import refuse_internal


@dataclass(frozen=True, slots=True)
class Asked:
    """What a job is to do."""

    kind: JobKind
    command: str
    request: Mapping[str, Any]
    origin: str = ""

    def check(self) -> None:
        """Raises Unreadable for a path that isn't there, which is no job, and CatalogError for the names of a
        conversation's own collection and group: only what is sent to be kept for a while ("once") has these."""
        if self.kind == "ingest" and not self.request.get("once"):
            refuse_internal([str(self.request["collection"])], "collection")
            refuse_internal(self.request.get("groups") or (), "group")
        _exist(self.request.get("paths", ()))


def of_paths(paths: Sequence[Path], collection: str, groups: frozenset[str] | None) -> Asked:
    """Files and folders of this machine."""
    request = {
        "paths": [os.path.abspath(path) for path in paths],  # noqa: PTH100 - resolve() would follow links
        "collection": collection,
        "groups": None if groups is None else sorted(groups),
    }
    return Asked("ingest", "ingest " + " ".join(printable(path) for path in paths), request)


def of_origin(row: OriginRow, remove_gone: bool) -> Asked:
    """One run of a synced source."""
    return Asked("sync", f"sync run {row.name}", {"remove_gone": remove_gone} | belongs_to(row), row.name)


def belongs_to(row: OriginRow) -> dict[str, str | None]:
    """Which source a job is of, and whose its report is: another source may get this one's name later."""
    return {"collection": row.collection, "since": row.created.isoformat() if row.created else None}


def is_of(job: JobRow, row: OriginRow) -> bool:
    """Whether a job is of this source, and not of an earlier one that had its name."""
    if since := job.request.get("since"):
        return row.created is not None and since == row.created.isoformat()
    # an older version noted no more than the name
    return row.created is None or row.created <= job.started


def _exist(paths: Sequence[str]) -> None:
    for path in paths:
        try:
            os.lstat(path)
        except FileNotFoundError:
            raise Unreadable(f"There is no file or folder {printable(path)}; check the path.") from None
        except OSError as error:
            raise Unreadable(f"{printable(path)} can't be opened: {error.strerror}; check the path.") from None
