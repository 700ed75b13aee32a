"""What a job is asked to do, as its row keeps it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.sources import printable
from ragapp.catalog.rows import JobKind
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


def of_origin(name: str, remove_gone: bool) -> Asked:
    """One run of a synced source."""
    return Asked("sync", f"sync run {name}", {"remove_gone": remove_gone}, name)


def _exist(paths: Sequence[str]) -> None:
    for path in paths:
        try:
            os.lstat(path)
        except FileNotFoundError:
            raise Unreadable(f"There is no file or folder {printable(path)}; check the path.") from None
        except OSError as error:
            raise Unreadable(f"{printable(path)} can't be opened: {error.strerror}; check the path.") from None
