"""What a run that ended badly left behind: chunks of revisions that never went live, bytes that nobody needs."""

from __future__ import annotations

from ingest.pipeline.run import Parts
from ragapp.index.follow import follow

_PAGE = 500


def collect_leftovers(parts: Parts) -> None:
    """Take them away. For the one process that owns the index, while it writes nothing."""
    follow(parts.catalog, parts.index, parts.files)
    revisions: dict[str, set[int]] = {}
    for chunk in parts.index.inventory():
        revisions.setdefault(chunk.document_id, set()).add(chunk.revision)
    documents = sorted(revisions)
    for start in range(0, len(documents), _PAGE):
        page = documents[start : start + _PAGE]
        live = {key: row.revision for key, row in parts.catalog.known(page).items() if row.state == "live"}
        for document in page:
            if document not in live:
                parts.index.delete_document(document)
            elif revisions[document] != {live[document]}:
                parts.index.delete_document(document, keep_revision=live[document])
    parts.index.flush()
    for kept in list(parts.files.kept()):
        if kept.kind == "temporary":
            kept.path.unlink(missing_ok=True)
        else:
            parts.files.forget(kept.sha256, parts.catalog.uses)
