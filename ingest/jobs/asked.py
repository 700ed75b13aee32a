"""What a job is asked to do, as its row keeps it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.origins.uploads import Upload
from ingest.origins.walk import printable
from ragapp.access import said_groups
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.rows import JobKind, JobRow, OriginRow
from ragapp.errors import Unreadable
from ragapp.names import refuse_internal

Groups = str | Iterable[str] | None
"""Who may see what is taken in, as a caller says it: a group, several, or nothing."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a job is to do."""

    kind: JobKind
    command: str
    request: Mapping[str, Any]
    origin: str = ""

    def check(self, catalog: Catalog) -> None:
        """Raises Unreadable for a path that isn't there, and NobodyChosen where nothing says who may see what is taken
        in; neither is a job. Raises CatalogError for the names of a conversation's own collection and group: only what
        is sent to be kept for a while ("once") has these."""
        if self.kind == "ingest" and not self.request.get("once"):
            refuse_internal([str(self.request["collection"])], "collection")
            refuse_internal(self.request.get("groups") or (), "group")
        _exist(self.request.get("paths", ()))
        if self.kind == "ingest":
            catalog.collection_rules.groups_of_new(str(self.request["collection"]), self.groups)

    @property
    def groups(self) -> frozenset[str] | None:
        """Who was said to see what is taken in; None where nothing was said."""
        return groups_said(self.request)


def of_paths(paths: Sequence[Path], collection: str, groups: Groups) -> Asked:
    """Files and folders of this machine. Raises SettingsError for groups that name nobody."""
    said = said_groups(groups)
    request = {
        "paths": [os.path.abspath(path) for path in paths],  # noqa: PTH100 - resolve() would follow links
        "collection": collection,
        "groups": None if said is None else sorted(said),
    }
    return Asked("ingest", "ingest " + " ".join(printable(path) for path in paths), request)


def of_uploads(uploads: Sequence[Upload], collection: str, groups: Groups, *, once: bool) -> Asked:
    """Files that were sent. Raises SettingsError for groups that name nobody."""
    said = said_groups(groups)
    request = {
        "uploads": [(upload.source, str(upload.path)) for upload in uploads],
        "collection": collection,
        "groups": None if said is None else sorted(said),
        "once": once,
    }
    more = f" and {len(uploads) - 1} more" if len(uploads) > 1 else ""
    return Asked("ingest", f"upload {printable(uploads[0].source)}{more}", request)


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


def groups_said(request: Mapping[str, Any]) -> frozenset[str] | None:
    """The groups that a job's row keeps; an empty list, which an older version could keep, says nothing."""
    return frozenset(request["groups"]) if request.get("groups") else None


def _exist(paths: Sequence[str]) -> None:
    for path in paths:
        try:
            os.lstat(path)
        except FileNotFoundError:
            raise Unreadable(f"There is no file or folder {printable(path)}; check the path.") from None
        except OSError as error:
            raise Unreadable(f"{printable(path)} can't be opened: {error.strerror}; check the path.") from None
