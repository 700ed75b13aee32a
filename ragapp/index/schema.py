"""The layout that both adapters write: vector names, payload keys, payload indexes, and the index's name."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ragapp.types import Chunk

DENSE = "dense"
BM25 = "bm25"

KEYWORD_FIELDS = ("document_id", "collection", "source", "groups", "file_type", "text_hash")
INTEGER_FIELDS = ("revision", "ordinal")
DATETIME_FIELDS = ("date",)

SEARCH_EF = 256
"""Candidates that a walk through the search graph keeps. At 100,000 chunks the default of 100 finds 0.70 of the ten
nearest of a question that is near nothing, 256 finds 0.90, for one millisecond more; near ones are found by either."""


def index_name(fingerprint: str) -> str:
    """The name of the physical index of one embedding model."""
    return f"ragapp-{fingerprint}"


def text_hash(embedded_text: str) -> str:
    """The key under which a text's vector is found again: SHA-256 of what the embedder saw, 32 hex digits."""
    return hashlib.sha256(embedded_text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def payload(
    chunk: Chunk,
    *,
    gap: str,
    page_starts: tuple[int, ...],
    source: str,
    title: str,
    collection: str,
    groups: frozenset[str],
    file_type: str,
    modified: datetime | None,
    dated: datetime | None,
) -> dict[str, Any]:
    """A chunk's payload. `gap` is the white space between the chunk before and this one, `page_starts`
    says where each of its pages begins. Times are RFC 3339 in UTC; `date` is the one to filter by."""
    date = dated or modified
    return {
        "document_id": chunk.document_id,
        "revision": chunk.revision,
        "ordinal": chunk.ordinal,
        "collection": collection,
        "source": source,
        "title": title,
        "groups": sorted(groups),
        "file_type": file_type,
        "modified": rfc3339(modified),
        "dated": rfc3339(dated),
        "date": rfc3339(date),
        "headings": list(chunk.headings),
        "pages": list(chunk.pages),
        "start": chunk.start,
        "end": chunk.end,
        "text": chunk.text,
        "gap": gap,
        "page_starts": list(page_starts),
        "text_hash": text_hash(chunk.embedded_text),
    }


def rfc3339(moment: datetime | None) -> str | None:
    """A time as text in UTC; times without a zone are taken as UTC."""
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()


def moment(payload: Mapping[str, Any], key: str) -> datetime | None:
    """The time that a payload holds under `key`."""
    value = payload.get(key)
    return datetime.fromisoformat(value) if value else None
