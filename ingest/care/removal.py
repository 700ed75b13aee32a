"""Taking documents away for good: first what that would be, then rows, chunks and bytes, in this order.

After the one commit that takes the rows nobody finds the documents. What is left of them elsewhere is noted in the same
commit; a crash leaves it to the next command that opens the index.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingest.care.named import documents_named, with_members
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.files import DocumentFiles
from ragapp.catalog.rows import DocumentRow
from ragapp.errors import CatalogError
from ragapp.index.base import Index
from ragapp.index.follow import Tell, follow


@dataclass(frozen=True, slots=True)
class Removal:
    """What is to be taken away."""

    documents: tuple[DocumentRow, ...]
    """Members of containers among them."""
    bytes: int
    """Of originals that no other document needs, each counted once."""
    shared: int
    """Originals that stay because another document has the same bytes."""
    followed: tuple[str, ...] = ()
    """Synced sources that would bring their files in again with the next sync."""

    @property
    def members(self) -> int:
        """How many lie in a container that goes."""
        return sum(bool(row.container) for row in self.documents)

    @property
    def chunks(self) -> int:
        return sum(row.chunks for row in self.documents)


def plan_removal(
    catalog: Catalog,
    names: Sequence[str] = (),
    origin: str = "",
    counts: Callable[[DocumentRow], bool] = lambda _: True,
) -> Removal:
    """What removing these documents and folders, or all of a synced source, would take away; nothing is done.

    Of other documents with the same bytes only those are told of that `counts` is true of; their bytes stay anyway.
    Raises CatalogError for a name that nothing has.
    """
    rows = [row for name in names for row in documents_named(catalog, name)]
    if origin:
        catalog.origins.get(origin)
        rows += catalog.documents(origin=origin)
    family = with_members(catalog, rows)
    going = {row.id for row in family}
    size: dict[str, int] = {row.sha256: row.size for row in family if row.sha256}
    needed = {row.sha256 for row in catalog.documents() if row.id not in going and counts(row)}
    known = {row.name for row in catalog.origins.list()}
    return Removal(
        family,
        sum(count for sha256, count in size.items() if sha256 not in needed),
        sum(sha256 in needed for sha256 in size),
        tuple(sorted({row.origin for row in family} & known)),
    )


def remove(removal: Removal, catalog: Catalog, index: Index, files: DocumentFiles, tell: Tell | None = None) -> int:
    """Take the documents away; returns how many went. After it nothing of them is searched, kept or shown.

    Raises CatalogError where one came in from an ingestion that ran meanwhile, which then goes with the next call.
    """
    gone = catalog.removals.take_away([row.id for row in removal.documents])
    follow(catalog, index, files, tell or (lambda _: None))
    catalog.scrub()
    if left := catalog.known([row.id for row in removal.documents[:500]]):
        raise CatalogError(
            f"{next(iter(left.values())).source} was taken in again meanwhile; stop that run, then remove it again."
        )
    return gone
