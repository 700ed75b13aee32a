"""The same index on a Qdrant server, through qdrant-client: same point ids, vector names, payload and indexes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
import numpy as np
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from ragapp.access import Scope
from ragapp.errors import IndexUnavailable, StorageFull
from ragapp.index.base import INVENTORY_FIELDS, Hit, HybridHits, Point, SparseVector, Stored, Vector, stored
from ragapp.index.dialect import translated
from ragapp.index.schema import (
    BM25,
    DATETIME_FIELDS,
    DENSE,
    INTEGER_FIELDS,
    KEYWORD_FIELDS,
    SEARCH_EF,
    index_name,
    rfc3339,
)
from ragapp.index.scoring import (
    NOBODY,
    Found,
    all_alike,
    hits,
    seen_by,
    wanted,
    weighed,
    weighty,
    with_words,
    word_weights,
    words_of,
)

_BATCH = 128
"""Points in one request: a point of 1,024 dimensions is about 30 kB of JSON, and a server refuses above 32 MB."""
_TIMEOUT_S = 60
_ANSWERS_S = 5
"""How long a server that is only asked whether it is there may take."""
_OLDEST = (1, 19)
"""The first server that counts words among what a filter lets through. An older one passes over the wish without a word
and counts them among all chunks, so that scores tell what is hidden."""
_PAYLOAD_INDEXES = {
    **dict.fromkeys(KEYWORD_FIELDS, models.PayloadSchemaType.KEYWORD),
    **dict.fromkeys(INTEGER_FIELDS, models.PayloadSchemaType.INTEGER),
    **dict.fromkeys(DATETIME_FIELDS, models.PayloadSchemaType.DATETIME),
}

T = TypeVar("T")


def open_server(url: str, api_key: str | None, fingerprint: str, dimensions: int) -> ServerIndex:
    """The index of one embedding model on a server; made when it isn't there. Raises IndexUnavailable."""
    with _in_words(url):
        # the library's check only warns, and to stderr
        client = QdrantClient(url=url, api_key=api_key, timeout=_TIMEOUT_S, check_compatibility=False)
        version = client.info().version
    _refuse_old(url, version)
    return ServerIndex(client, index_name(fingerprint), dimensions)


def _refuse_old(url: str, version: str) -> None:
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    if len(numbers) < 2 or numbers < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        raise IndexUnavailable(
            f"The Qdrant server at {url} is version {version[:50]!r}, whose scores would tell of documents that "
            f"a reader may not see; put version {oldest} or newer in its place."
        )


def reach_server(url: str, api_key: str | None) -> None:
    """Ask a server for its collections, once and with little patience. Raises IndexUnavailable."""
    with _in_words(url):
        client = QdrantClient(url=url, api_key=api_key, timeout=_ANSWERS_S, check_compatibility=False)
        try:
            client.get_collections()
        finally:
            client.close()


class ServerIndex:
    """One collection of a Qdrant server. Safe to share between threads; many processes may share the server.

    Writes are acknowledged when they are applied. See base.Index for what each method promises.
    """

    def __init__(self, client: QdrantClient, name: str, dimensions: int) -> None:
        self.dimensions = dimensions
        self._client = client
        self._name = name
        self._closed = False
        self._call(self._make)

    def upsert(self, points: Sequence[Point]) -> None:
        for first in range(0, len(points), _BATCH):
            batch = [_server_point(point) for point in points[first : first + _BATCH]]
            self._call(partial(self._client.upsert, self._name, batch, wait=True))

    def flush(self) -> None:
        """Nothing to do: a server acknowledges a write after it stands in its write-ahead log."""
        self._call(lambda: None)

    def hybrid(self, dense: Vector, sparse: SparseVector, scope: Scope, limit: int) -> HybridHits:
        if not sparse.indices:
            # a question of stop words only has no words to look for
            return HybridHits(self.dense(dense, scope, limit), ())
        visible, seen = _filter(scope), _filter(seen_by(scope))
        # others may write at any time: weights are counted with each question
        by_meaning, by_words, *each = self._ask(
            _nearest(dense, visible, wanted(limit)),
            _worded(sparse, visible, seen, wanted(limit)),
            *_each_word(sparse.indices, seen),
        )
        words = weighty(sparse, word_weights(sparse.indices, each))

        def worded_so(many: int) -> list[Found]:
            nobody = _filter(NOBODY)
            return self._ask(_worded(words, visible, nobody, many, with_payload=False, with_words=False))[0]

        by_words = weighed(with_words(all_alike(by_words, limit, worded_so), self._words), words)
        return HybridHits(self._near(by_meaning, dense, visible, limit), hits(by_words, limit, self._payloads))

    def dense(self, vector: Vector, scope: Scope, limit: int, *, exact: bool = False) -> tuple[Hit, ...]:
        visible = _filter(scope)
        found = self._ask(_nearest(vector, visible, wanted(limit), exact=exact))[0]
        return self._near(found, vector, visible, limit, exact=exact)

    def chunks(self, document_id: str, revision: int, ordinals: Iterable[int], scope: Scope) -> tuple[Hit, ...]:
        wanted = sorted(set(ordinals))
        if not wanted:
            return ()
        within = _filter(scope, _is("document_id", document_id), _is("revision", revision), _any("ordinal", wanted))
        records = self._scroll(within, len(wanted), with_payload=True)
        brought = (Hit(str(record.id), 0.0, record.payload or {}) for record in records)
        return tuple(sorted(brought, key=lambda hit: hit.payload["ordinal"]))

    def vectors(self, text_hashes: Sequence[str]) -> dict[str, Vector]:
        found: dict[str, Vector] = {}
        missing = list(dict.fromkeys(text_hashes))
        while missing:
            # many chunks may share one text: each round asks only for the hashes that no round before has brought
            limit = 2 * len(missing)
            within = models.Filter(must=[_any("text_hash", missing)])
            records = self._scroll(within, limit, with_payload=["text_hash"], with_vectors=[DENSE])
            for record in records:
                key = record.payload["text_hash"]
                if key not in found:
                    found[key] = np.asarray(record.vector[DENSE], np.float32)
            if len(records) < limit:
                break
            missing = [key for key in missing if key not in found]
        return found

    def set_groups(self, document_id: str, groups: frozenset[str]) -> None:
        within = models.Filter(must=[_is("document_id", document_id)])
        self._call(lambda: self._client.set_payload(self._name, {"groups": sorted(groups)}, within, wait=True))

    def delete_document(self, document_id: str, *, keep_revision: int | None = None, before: int | None = None) -> None:
        kept = None if keep_revision is None else [_is("revision", keep_revision)]
        must = [_is("document_id", document_id)]
        if before is not None:
            must.append(models.FieldCondition(key="revision", range=models.Range(lt=before)))
        within = models.Filter(must=must, must_not=kept)
        selector = models.FilterSelector(filter=within)
        self._call(lambda: self._client.delete(self._name, selector, wait=True))

    def delete_chunks(self, ids: Sequence[str]) -> None:
        for first in range(0, len(ids), _BATCH):
            selector = models.PointIdsList(points=list(ids[first : first + _BATCH]))
            self._call(partial(self._client.delete, self._name, selector, wait=True))

    def inventory(self, page: int = 1000) -> Iterator[Stored]:
        offset: Any = None
        while True:
            records, offset = self._call(
                partial(self._client.scroll, self._name, limit=page, offset=offset, with_payload=INVENTORY_FIELDS)
            )
            yield from (stored(str(record.id), record.payload or {}) for record in records)
            if offset is None:
                return

    @contextmanager
    def still(self) -> Iterator[Path | None]:
        # others may write to the server at any time: its own snapshots are the copies that hold together
        yield None

    def count(self, scope: Scope | None = None) -> int:
        within = None if scope is None else _filter(scope)
        return self._call(lambda: self._client.count(self._name, within, exact=True)).count

    def optimize(self, give_way: Callable[[], None] | None = None, stop: Callable[[], bool] | None = None) -> None:
        """Wait until the server, which builds the search graph by itself and elsewhere, has done so."""
        busy = models.CollectionStatus.YELLOW
        while self._call(lambda: self._client.get_collection(self._name)).status == busy:
            if stop and stop():
                return
            time.sleep(0.5)

    def clear_out(self) -> bool:
        # whether and when deleted points leave a server's files is its own to decide
        return False

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._client.close()

    def _make(self) -> None:
        if not self._client.collection_exists(self._name):
            try:
                self._client.create_collection(
                    self._name,
                    vectors_config={DENSE: models.VectorParams(size=self.dimensions, distance=models.Distance.COSINE)},
                    sparse_vectors_config={BM25: models.SparseVectorParams(modifier=models.Modifier.IDF)},
                )
            except UnexpectedResponse as error:
                # 409: another process made it in between
                if error.status_code != 409:
                    raise
        # before the first point, so that the search graph is built with links for each field's values; and looked for
        # at every start, since one that broke off may have made the collection and not all of them
        there = self._client.get_collection(self._name).payload_schema or {}
        for field, kind in _PAYLOAD_INDEXES.items():
            if field not in there:
                self._client.create_payload_index(self._name, field, kind, wait=True)

    def _ask(self, *requests: models.QueryRequest) -> list[list[Found]]:
        answers = self._call(lambda: self._client.query_batch_points(self._name, list(requests)))
        return [_found(answer.points) for answer in answers]

    def _near(
        self, found: list[Found], vector: Vector, visible: models.Filter, limit: int, *, exact: bool = False
    ) -> tuple[Hit, ...]:
        """The best of the `wanted` nearest, and of others that are as near as the last."""

        def as_near(many: int) -> list[Found]:
            return self._ask(_nearest(vector, visible, many, exact=exact, with_payload=False))[0]

        return hits(all_alike(found, limit, as_near), limit, self._payloads)

    def _payloads(self, ids: list[str]) -> dict[str, Any]:
        records = self._call(lambda: self._client.retrieve(self._name, ids, with_payload=True))
        return {str(record.id): record.payload or {} for record in records}

    def _words(self, ids: list[str]) -> dict[str, dict[int, float]]:
        records = self._call(lambda: self._client.retrieve(self._name, ids, with_payload=False, with_vectors=[BM25]))
        return {str(record.id): words_of(record.vector) for record in records}

    def _scroll(self, within: models.Filter, limit: int, **wanted: Any) -> list[Any]:
        records, _ = self._call(lambda: self._client.scroll(self._name, within, limit=limit, **wanted))
        return list(records)

    def _call(self, work: Callable[[], T]) -> T:
        if self._closed:
            raise IndexUnavailable(f"The index {self._name} was closed; open it again.")
        with _in_words(self._name):
            return work()


def _filter(scope: Scope, *more: models.Condition) -> models.Filter:
    """The one translation of a scope: the groups always, and what was asked for besides."""
    must = [_any("groups", sorted(scope.groups)), *more]
    for field, values in (
        ("collection", scope.collections),
        ("source", scope.sources),
        ("file_type", scope.file_types),
    ):
        if values:
            must.append(_any(field, sorted(values)))
    if scope.since or scope.until:
        between = models.DatetimeRange(gte=rfc3339(scope.since), lte=rfc3339(scope.until))
        must.append(models.FieldCondition(key="date", range=between))
    if scope.where:
        must.append(translated(scope.where, _Server()))
    return models.Filter(must=must, must_not=[_any("document_id", sorted(scope.without))] if scope.without else None)


class _Server:
    """See dialect.Dialect."""

    def every(self, parts: Sequence[Any]) -> Any:
        return models.Filter(must=list(parts))

    def some(self, parts: Sequence[Any]) -> Any:
        return models.Filter(should=list(parts))

    def none(self, parts: Sequence[Any]) -> Any:
        return models.Filter(must_not=list(parts))

    def empty(self, path: str) -> Any:
        return models.IsEmptyCondition(is_empty=models.PayloadField(key=path))

    def texts(self, path: str, values: list[str]) -> Any:
        return _any(path, values)

    def flag(self, path: str, value: bool) -> Any:
        return models.FieldCondition(key=path, match=models.MatchValue(value=value))

    def number(self, path: str, *, gte: float | None, gt: float | None, lte: float | None, lt: float | None) -> Any:
        return models.FieldCondition(key=path, range=models.Range(gte=gte, gt=gt, lte=lte, lt=lt))


def _is(field: str, value: str | int) -> models.Condition:
    return models.FieldCondition(key=field, match=models.MatchValue(value=value))


def _any(field: str, values: list[Any]) -> models.Condition:
    return models.FieldCondition(key=field, match=models.MatchAny(any=values))


def _nearest(
    vector: Vector, within: models.Filter, limit: int, *, exact: bool = False, with_payload: bool = True
) -> models.QueryRequest:
    return models.QueryRequest(
        query=models.NearestQuery(nearest=vector.tolist()),
        using=DENSE,
        filter=within,
        limit=limit,
        with_payload=with_payload,
        params=models.SearchParams(exact=exact, hnsw_ef=SEARCH_EF),
    )


def _worded(
    words: SparseVector,
    within: models.Filter,
    among: models.Filter,
    limit: int,
    *,
    with_payload: bool = True,
    with_words: bool = True,
) -> models.QueryRequest:
    """The best chunks of `within` by BM25, `with_words` with their weights; words are rare or not among the chunks of
    `among`."""
    return models.QueryRequest(
        query=models.NearestQuery(nearest=_sparse(words)),
        using=BM25,
        filter=within,
        limit=limit,
        with_payload=with_payload,
        with_vector=[BM25] if with_words else False,
        params=models.SearchParams(idf=models.IdfCorpusParams(corpus=among)),
    )


def _each_word(tokens: Iterable[int], seen: models.Filter) -> list[models.QueryRequest]:
    """For each token the best chunk, from which its weight is told."""
    return [_worded(SparseVector((token,), (1.0,)), seen, seen, 1, with_payload=False) for token in tokens]


def _sparse(vector: SparseVector) -> models.SparseVector:
    return models.SparseVector(indices=list(vector.indices), values=list(vector.values))


def _server_point(point: Point) -> models.PointStruct:
    vectors: Any = {DENSE: point.dense.tolist(), BM25: _sparse(point.sparse)}
    return models.PointStruct(id=point.id, vector=vectors, payload=dict(point.payload))


def _found(scored: Iterable[Any]) -> list[Found]:
    return [Found(str(each.id), float(each.score), each.payload, words_of(each.vector)) for each in scored]


@contextmanager
def _in_words(where: str) -> Iterator[None]:
    try:
        yield
    except (ResponseHandlingException, httpx.TransportError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise IndexUnavailable(
            f"The Qdrant server of the index {where} can't be reached ({reason[:200]}); start it, or check index.url."
        ) from error
    except UnexpectedResponse as error:
        said = (error.content or b"").decode("utf-8", "replace")
        if "No space left" in said or "disk" in said.lower():
            raise StorageFull(
                f"The disk of the Qdrant server of the index {where} is full; free some space."
            ) from error
        remedy = "check index.api_key" if error.status_code in (401, 403) else "see the server's log"
        raise IndexUnavailable(
            f"The Qdrant server refused a request about the index {where} ({error.status_code} {said[:200]}); {remedy}."
        ) from error
    except ApiException as error:
        raise IndexUnavailable(f"The Qdrant server of the index {where} failed: {error}.") from error
