"""What an admin means by a name on the command line: documents, a folder of them, a synced source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ingest.origins.synced import absolute
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.rows import DocumentRow, OriginRow
from ragapp.errors import CatalogError


def documents_named(catalog: Catalog, what: str) -> tuple[DocumentRow, ...]:
    """The documents that an id, a source, a path or a folder names, members of containers not among them unless named.

    Raises CatalogError, with what may have been meant, where there is none.
    """
    if found := catalog.lookup.named(what, absolute(what)):
        return found
    if found := tuple(row for row in catalog.lookup.below(folder_named(what)) if not row.container):
        return found
    near = catalog.lookup.like(Path(what).name or what)
    meant = f"; did you mean {' or '.join(near)}?" if near else "; `ragapp access show` lists what is in."
    raise CatalogError(f"There is no document and no folder with documents named {what}{meant}")


def folder_named(what: str) -> str:
    """What the sources of the documents in a folder begin with, before a slash."""
    return what.rstrip("/") if "://" in what else absolute(what)


def with_members(catalog: Catalog, rows: Iterable[DocumentRow]) -> tuple[DocumentRow, ...]:
    """Documents and all that lies in them at any depth, each once, containers before what they hold."""
    inside: dict[str, list[DocumentRow]] = {}
    for row in catalog.documents():
        if row.container:
            inside.setdefault(row.container, []).append(row)
    found: dict[str, DocumentRow] = {}
    waiting = list(rows)
    for row in waiting:
        if row.id not in found:
            found[row.id] = row
            waiting += inside.get(row.id, [])
    return tuple(found.values())


def origin_named(origins: Sequence[OriginRow], what: str) -> OriginRow | None:
    """The synced source of this name."""
    return next((row for row in origins if row.name == what), None)
