"""Taking the old text of documents away everywhere, while their newest revision stays: first what that would be, then
rows, kept answers, chunks and bytes, in the order of a removal.

After the one commit that takes the rows nobody is shown an earlier revision. What is left of it elsewhere is noted in
the same commit; a crash leaves it to the next command that opens the index.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from ingest.care.named import documents_named, with_members
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.files import DocumentFiles
from ragapp.catalog.rows import DocumentRow
from ragapp.index.base import Index
from ragapp.index.follow import Tell, follow


@dataclass(frozen=True, slots=True)
class Redaction:
    """What is to be taken away."""

    named: tuple[str, ...]
    """Ids of the documents that were meant."""
    documents: tuple[DocumentRow, ...]
    """These, what lies in them, and what they lie in, whose older bytes held theirs."""
    revisions: int
    """Earlier ones that can still be shown."""
    bytes: int
    """Of their originals that nothing else needs, each counted once."""
    shared: int
    """Their originals that stay, because another document that counts has the same bytes or this one has them again."""
    answers: int
    """Kept answers that lose quotes, passages or all of their text."""


def plan_redaction(
    catalog: Catalog,
    files: DocumentFiles,
    names: Sequence[str],
    counts: Callable[[DocumentRow], bool] = lambda _: True,
) -> Redaction:
    """What redacting these documents and folders would take away; nothing is done.

    Of other documents with the same bytes only those are told of that `counts` is true of; their bytes stay anyway.
    Raises CatalogError for a name that nothing has.
    """
    named = [row for name in names for row in documents_named(catalog, name)]
    family = {row.id: row for row in (*with_members(catalog, named), *_containers(catalog, named))}
    live = {row.id: row.revision for row in family.values() if row.state == "live"}
    earlier = catalog.listing.earlier(live)
    originals = {sha256 for each in earlier.values() for sha256 in each.originals}
    going = {sha256 for sha256 in originals if not _is_needed(catalog, sha256, family, counts)}
    paths = [files.original(sha256) for sha256 in going]
    return Redaction(
        tuple(dict.fromkeys(row.id for row in named)),
        tuple(family[document] for document in live),
        sum(each.revisions for each in earlier.values()),
        sum(path.stat().st_size for path in paths if path.is_file()),
        len(originals) - len(going),
        catalog.mentions.answers_on_earlier(live),
    )


def redact(redaction: Redaction, catalog: Catalog, index: Index, files: DocumentFiles, tell: Tell | None = None) -> int:
    """Take the earlier revisions away: rows, chunks, originals, texts, and what answers kept of them. Returns how many
    documents had some. The index's files hold bytes of deleted chunks until `Index.clear_out`."""
    had = catalog.removals.take_earlier_away([row.id for row in redaction.documents])
    follow(catalog, index, files, tell or (lambda _: None))
    catalog.scrub()
    return had


def _is_needed(catalog: Catalog, sha256: str, family: Collection[str], counts: Callable[[DocumentRow], bool]) -> bool:
    users = map(catalog.document, catalog.users_but_for(sha256, family))
    return any(row is not None and counts(row) for row in users)


def _containers(catalog: Catalog, rows: Sequence[DocumentRow]) -> Iterator[DocumentRow]:
    """What these lie in, up to the file itself."""
    for row in rows:
        above = row.container
        while above and (holds := catalog.document(above)):
            yield holds
            above = holds.container
