"""Index, files and kept answers brought in line with what the catalog decided: removed documents and revisions,
replaced bytes, changed groups.

The catalog's commit is what counts for every search; these are the copies that follow it, here or, after a crash, with
the next opening of the index.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

from ragapp.catalog.catalog import Catalog
from ragapp.catalog.files import DocumentFiles
from ragapp.index.base import Index

_PAGE = 500
"""Documents between two flushes."""

Tell = Callable[[int], None]


def _nobody(_: int) -> None:
    """Nobody counts along."""


def follow(catalog: Catalog, index: Index, files: DocumentFiles, tell: Tell = _nobody) -> None:
    """Do all that is due. `tell` hears how many documents are done, as they are. Cheap where nothing is due."""
    erased = catalog.mentions.erase()
    due = catalog.removals.due()
    for start in range(0, len(due), _PAGE):
        _collect(due[start : start + _PAGE], catalog, index, files, tell)
    if erased or due:
        catalog.scrub()
    changes = catalog.access.due()
    while page := dict(islice(changes, _PAGE)):
        done = len(page)
        while page:
            # looked up first: what is committed from here on may bring chunks that were written with other groups
            revisions = {document: row.revision for document, row in catalog.known(page).items()}
            for document, groups in page.items():
                index.set_groups(document, groups)
            index.flush()
            page = catalog.access.settle(page, revisions)
        tell(done)


def _collect(
    removed: Sequence[tuple[str, str]], catalog: Catalog, index: Index, files: DocumentFiles, tell: Tell
) -> None:
    """Take away the chunks, then the bytes and texts that no document needs, then the note about it."""
    there = catalog.known(document for document, _ in removed)
    newest = catalog.removals.newest([document for document, _ in removed])
    for document, _ in removed:
        # one that is being taken in again writes its chunks under a number that was given out after the removal's, or
        # after the live revision's
        if document not in there:
            index.delete_document(document, keep_revision=newest.get(document))
        else:
            index.delete_document(document, before=there[document].revision)
    index.flush()
    done = []
    for document, sha256 in removed:
        if sha256:
            files.forget(sha256, catalog.uses)
        # bytes that are on their way into another document are looked at again when it is in
        if not sha256 or not catalog.uses(sha256) or files.forget_texts(sha256, catalog.texts_needed):
            done.append((document, sha256))
        tell(1)
    catalog.removals.settle(done)
