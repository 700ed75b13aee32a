"""LangChain's face of the index: a VectorStore that sees what one principal may see, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Protocol
from uuid import uuid4

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore, VectorStoreRetriever
from langchain_core.vectorstores.utils import maximal_marginal_relevance

from ragapp.access import Scope, filtered, may_see, said_groups, scope, within
from ragapp.catalog import added_texts
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.files import DocumentFiles
from ragapp.catalog.groups import Grant
from ragapp.catalog.rows import DocumentRow
from ragapp.errors import BadQuestion, RagappError
from ragapp.index.base import Hit, Index, Point, SparseVector, Vector
from ragapp.index.follow import follow
from ragapp.index.schema import payload
from ragapp.names import refuse_internal
from ragapp.types import Chunk, Principal, document_id

_MOST = 10_000
"""Hits after which a search gives up looking behind chunks of dead revisions."""


class SparseEncoder(Protocol):
    """What makes the word weights of a text; ragapp.embed.sparse.Bm25."""

    def encode_documents(self, texts: Sequence[str]) -> list[SparseVector]: ...


@dataclass(frozen=True, slots=True)
class StoreParts:
    """What the store works with. `embeddings` must be the model that the index was built with."""

    index: Index
    catalog: Catalog
    files: DocumentFiles
    embeddings: Embeddings
    bm25: SparseEncoder


@dataclass(frozen=True, slots=True)
class Placement:
    """Where added texts belong, and who may see them: one group, several, EVERYONE, or, with None, whom the rule of the
    collection names. Raises SettingsError for groups that name nobody."""

    collection: str = "default"
    groups: frozenset[str] | None = None

    def __init__(self, collection: str = "default", groups: str | Iterable[str] | None = None) -> None:
        object.__setattr__(self, "collection", collection)
        object.__setattr__(self, "groups", said_groups(groups))
        refuse_internal([collection], "collection")
        refuse_internal(self.groups or (), "group")


class RagVectorStore(VectorStore):
    """Searches everything that was ingested, as far as `principal` sees it, and takes in texts.

    An added text becomes a document of its own with one chunk, written through the same index and catalog as an
    ingested file: its LangChain id is the document's source, its metadata travels in the payload. The text is kept as
    the document's original and as its extracted text, so that a citation of it can be shown as long as the document is
    there, also after its id was given another text. It appears when the catalog commits it and vanishes when the
    catalog removes it. Texts are not split: what exceeds the embedder's limit is found by its words, and by its
    beginning's meaning.
    """

    def __init__(self, parts: StoreParts, principal: Principal, placement: Placement | None = None) -> None:
        self._parts = parts
        self._principal = principal
        self._placement = placement or Placement()

    @property
    def embeddings(self) -> Embeddings:
        return self._parts.embeddings

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        batch_size: int | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Write texts, replacing those of the same id; returns their ids. `batch_size` is what LangChain's indexing
        says to every store; these are written at once.

        Raises RagappError for metadata that is not JSON, for an id that somebody else's document has, and where nothing
        says who may see them (NobodyChosen). What was chosen by hand for an id's text stays as long as the store's
        groups would show it to anybody else.
        """
        _refuse(kwargs, "ids, and who may see them is said with RagApp.vectorstore(groups=…)")
        written = list(texts)
        placed = self._placement
        self._parts.catalog.collection_rules.groups_of_new(placed.collection, placed.groups)
        names = [name or str(uuid4()) for name in (ids or [None] * len(written))]
        extras = metadatas or [{} for _ in written]
        if not len(written) == len(names) == len(extras):
            raise RagappError(f"There are {len(written)} texts, {len(names)} ids and {len(extras)} metadata.")
        # of two texts with one id the later counts
        latest = {name: position for position, name in enumerate(names)}
        rows = [self._row(name, written[position]) for name, position in latest.items()]
        kept_texts = [written[position] for position in latest.values()]
        points = self._points(rows, kept_texts, [_json(extras[position]) for position in latest.values()])
        with self._kept(rows, kept_texts):
            self._parts.index.upsert(points)
            self._parts.index.flush()
            for row in rows:
                self._parts.catalog.commit_document(row, grant=self._grant(row.id))
                self._parts.index.delete_document(row.id, keep_revision=row.revision)
        return names

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool:
        """Remove added texts by id for good: chunks, originals and text, those of earlier texts of these ids too.

        Ids that are unknown, or not visible to the principal, are left alone.
        """
        _refuse(kwargs, "ids")
        if ids is None:
            raise RagappError("Without ids everything would be deleted; name the ids to delete.")
        found = [self._visible(document_id(self._placement.collection, name)) for name in ids]
        if added := [known.id for known in found if known and added_texts.is_added(known)]:
            self._parts.catalog.removals.take_away(added)
            follow(self._parts.catalog, self._parts.index, self._parts.files)
            self._parts.catalog.scrub()
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Added texts by their id, and chunks of ingested documents by the id that a search gave them."""
        visible = scope(self._principal)
        found: list[Document] = []
        for name in ids:
            key, revision, ordinal = _parsed(name) or (document_id(self._placement.collection, name), None, 0)
            known = self._visible(key)
            if known and revision in (None, known.revision):
                found += map(_document, self._parts.index.chunks(key, known.revision, [ordinal], visible))
        return found

    # All searches take the same two narrowings, and refuse what they don't know: a keyword that was passed over would
    # show more than was asked for. `narrowed` (ragapp.narrow) is by collection, source, time or file type, `filter`
    # (ragapp.conditions) by the metadata that a search brings.

    def as_retriever(self, **kwargs: Any) -> VectorStoreRetriever:
        """The store as a LangChain retriever; `filter` and the like are said in `search_kwargs`, or to `invoke`."""
        # LangChain's own takes any keyword and passes over those that it doesn't know
        known = VectorStoreRetriever.model_fields
        _refuse(
            {name: value for name, value in kwargs.items() if name not in known},
            "search_type and search_kwargs={…}, where k, filter and narrowed belong",
        )
        return super().as_retriever(**kwargs)

    def similarity_search(
        self, query: str, k: int = 4, filter: Any = None, *, narrowed: Scope | None = None, **kwargs: Any
    ) -> list[Document]:
        """The k nearest chunks, of what `narrowed` and `filter` leave."""
        found = self.similarity_search_with_score(query, k, filter, narrowed=narrowed, **kwargs)
        return [document for document, _ in found]

    def similarity_search_with_score(
        self, query: str, k: int = 4, filter: Any = None, *, narrowed: Scope | None = None, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """The k nearest chunks with their cosine, -1 to 1, best first."""
        visible = self._scope(filter, narrowed, kwargs)
        return [(_document(hit), hit.score) for hit in self._nearest(self._vector(query), k, visible)]

    def similarity_search_by_vector(
        self, embedding: list[float], k: int = 4, filter: Any = None, *, narrowed: Scope | None = None, **kwargs: Any
    ) -> list[Document]:
        """The k chunks nearest to a vector of the store's embeddings."""
        visible = self._scope(filter, narrowed, kwargs)
        return [_document(hit) for hit in self._nearest(np.asarray(embedding, np.float32), k, visible)]

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Any = None,
        *,
        narrowed: Scope | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """k chunks of the `fetch_k` nearest, chosen to be near and unlike each other."""
        return self.max_marginal_relevance_search_by_vector(
            self.embeddings.embed_query(query), k, fetch_k, lambda_mult, filter, narrowed=narrowed, **kwargs
        )

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Any = None,
        *,
        narrowed: Scope | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """The same by a vector of the store's embeddings."""
        wanted = np.asarray(embedding, np.float32)
        hits = self._nearest(wanted, fetch_k, self._scope(filter, narrowed, kwargs))
        if not hits:
            return []
        vectors = self._parts.index.vectors([hit.payload["text_hash"] for hit in hits])
        candidates: list[Any] = [vectors[hit.payload["text_hash"]] for hit in hits]
        chosen = maximal_marginal_relevance(wanted, candidates, lambda_mult, k)
        return [_document(hits[position]) for position in chosen]

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> RagVectorStore:
        """A store with these texts. Takes as keywords `index`, `catalog`, `files`, `bm25`, `principal` and, where they
        belong elsewhere than by default, `placement`."""
        missing = [name for name in _NEEDED if name not in kwargs]
        if missing:
            raise RagappError(f"A store needs {', '.join(missing)} too; RagApp.vectorstore makes one that has them.")
        index, catalog, files, bm25, principal = (kwargs.pop(name) for name in _NEEDED)
        placement = kwargs.pop("placement", None)
        _refuse(kwargs, f"{', '.join(_NEEDED)}, placement")
        store = cls(StoreParts(index, catalog, files, embedding, bm25), principal, placement)
        store.add_texts(texts, metadatas, ids=ids)
        return store

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        return lambda cosine: min(max(cosine, 0.0), 1.0)

    def _vector(self, query: str) -> Vector:
        return np.asarray(self.embeddings.embed_query(query), np.float32)

    def _visible(self, key: str) -> DocumentRow | None:
        known = self._parts.catalog.document(key)
        return known if known and known.state == "live" and may_see(self._principal, known.groups) else None

    def _scope(self, filter: Any, narrowed: Scope | None, unknown: Mapping[str, Any]) -> Scope:
        _refuse(unknown, "k, filter and narrowed")
        return filtered(within(self._principal, narrowed), filter)

    def _nearest(self, vector: Vector, k: int, visible: Scope) -> list[Hit]:
        """The k nearest hits that the catalog confirms; looks further where chunks of dead revisions stand before."""
        visible = replace(visible, without=self._parts.catalog.access.hidden_ahead(self._principal))
        limit = k
        while True:
            hits = self._parts.index.dense(vector, visible, limit)
            pairs = [(hit.payload["document_id"], hit.payload["revision"]) for hit in hits]
            live = self._parts.catalog.confirm(pairs, self._principal)
            confirmed = [hit for hit, pair in zip(hits, pairs, strict=True) if pair in live]
            if len(confirmed) >= k or len(hits) < limit or limit >= _MOST:
                return confirmed[:k]
            limit *= 4

    def _row(self, name: str, text: str) -> DocumentRow:
        key = document_id(self._placement.collection, name)
        known = self._parts.catalog.document(key)
        if known and known.state == "live" and (self._visible(key) is None or not added_texts.is_added(known)):
            raise RagappError(f"The id {name} belongs to another document; choose another id or collection.")
        original = added_texts.original_bytes(text)
        revision = self._parts.catalog.next_revision(key)
        return DocumentRow(
            id=key,
            collection=self._placement.collection,
            source=name,
            revision=revision,
            sha256=sha256(original).hexdigest(),
            size=len(original),
            title=name,
            file_type="",
            chunks=1,
            groups=self._parts.catalog.access.granted(self._grant(key)),
            parser=added_texts.PARSER,
            parser_version=added_texts.VERSION,
            modified=datetime.now(UTC),
        )

    def _grant(self, key: str) -> Grant:
        placed = self._placement
        return Grant(key, placed.groups, placed.groups, job=None, collection=placed.collection)

    @contextmanager
    def _kept(self, rows: list[DocumentRow], texts: list[str]) -> Iterator[None]:
        """The rows' bytes and texts are there while the block commits them; what it did not commit goes at its end."""
        files = self._parts.files
        held: list[str] = []
        try:
            for row, text in zip(rows, texts, strict=True):
                held.append(added_texts.keep_original(files, text, hold=True))
                added_texts.keep_text(files, row.sha256, row.parser_version, text, row.title)
            yield
        finally:
            for sha256 in held:
                files.let_go(sha256)
            for sha256 in dict.fromkeys(held):
                files.forget(sha256, self._parts.catalog.uses)

    def _points(self, rows: list[DocumentRow], texts: list[str], metadatas: list[dict[str, Any]]) -> list[Point]:
        if not rows:
            return []
        dense = self.embeddings.embed_documents(texts)
        sparse = self._parts.bm25.encode_documents(texts)
        return [
            _point(row, text, metadata, np.asarray(dense[i], np.float32), sparse[i])
            for i, (row, text, metadata) in enumerate(zip(rows, texts, metadatas, strict=True))
        ]


def _point(row: DocumentRow, text: str, metadata: dict[str, Any], dense: Vector, sparse: SparseVector) -> Point:
    chunk = Chunk(row.id, row.revision, 0, text, 0, len(text))
    kept = payload(
        chunk,
        gap="",
        page_starts=(),
        source=row.source,
        title=row.title,
        collection=row.collection,
        groups=row.groups,
        file_type=row.file_type,
        modified=row.modified,
        dated=row.dated,
    )
    return Point(chunk.point_id, dense, sparse, {**kept, "metadata": metadata})


def _document(hit: Hit) -> Document:
    found = hit.payload
    if "metadata" in found:
        return Document(id=found["source"], page_content=found["text"], metadata=dict(found["metadata"]))
    metadata = {
        "source": found["source"],
        "title": found["title"],
        "heading": " > ".join(found["headings"]),
        "page": found["pages"][0] if found["pages"] else None,
        **{key: found[key] for key in ("start", "end", "document_id", "revision", "collection")},
    }
    name = f"{found['document_id']}:{found['revision']}:{found['ordinal']}"
    return Document(id=name, page_content=found["text"], metadata=metadata)


_NEEDED = ("index", "catalog", "files", "bm25", "principal")


def _refuse(unknown: Mapping[str, Any], known: str) -> None:
    """Raises BadQuestion for a keyword that would be passed over, though its caller counts on it."""
    if unknown:
        raise BadQuestion(f"The store doesn't know {', '.join(sorted(unknown))} here; it takes {known}.")


def _parsed(name: str) -> tuple[str, int, int] | None:
    """Document, revision and ordinal of an ingested chunk's id; None for another id."""
    key, *numbers = name.split(":")
    if len(key) == 36 and len(numbers) == 2 and all(number.isdecimal() for number in numbers):
        return key, int(numbers[0]), int(numbers[1])
    return None


def _json(metadata: dict[str, Any]) -> dict[str, Any]:
    try:
        kept: dict[str, Any] = json.loads(json.dumps(metadata, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise RagappError(f"The metadata can't be kept, since it is not JSON: {error}.") from error
    return kept
