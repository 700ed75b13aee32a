"""Our words for what is asked of Qdrant Edge, and its answers in ours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import qdrant_edge as edge

from ragapp.access import Scope
from ragapp.index.base import Point, SparseVector
from ragapp.index.dialect import translated
from ragapp.index.schema import BM25, DENSE, SEARCH_EF, rfc3339
from ragapp.index.scoring import Found, words_of


def scope_filter(scope: Scope, *more: Any) -> Any:
    """The one translation of a scope: the groups always, and what was asked for besides."""
    must = [is_any("groups", sorted(scope.groups)), *more]
    for field, values in (
        ("collection", scope.collections),
        ("source", scope.sources),
        ("file_type", scope.file_types),
    ):
        if values:
            must.append(is_any(field, sorted(values)))
    if scope.since or scope.until:
        between = edge.RangeDateTime(gte=rfc3339(scope.since), lte=rfc3339(scope.until))
        must.append(edge.FieldCondition("date", range=between))
    if scope.where:
        must.append(translated(scope.where, _Edge()))
    return edge.Filter(must=must, must_not=[is_any("document_id", sorted(scope.without))] if scope.without else None)


class _Edge:
    """See dialect.Dialect."""

    def every(self, parts: Sequence[Any]) -> Any:
        return edge.Filter(must=list(parts))

    def some(self, parts: Sequence[Any]) -> Any:
        return edge.Filter(should=list(parts))

    def none(self, parts: Sequence[Any]) -> Any:
        return edge.Filter(must_not=list(parts))

    def empty(self, path: str) -> Any:
        return edge.IsEmptyCondition(path)

    def texts(self, path: str, values: list[str]) -> Any:
        return is_any(path, values)

    def flag(self, path: str, value: bool) -> Any:
        # Python's own True is taken for the number 1, which a stored true is not
        return edge.FieldCondition(path, match=edge.MatchValue(np.bool_(value)))  # type: ignore[arg-type]

    def number(self, path: str, *, gte: float | None, gt: float | None, lte: float | None, lt: float | None) -> Any:
        return edge.FieldCondition(path, range=edge.RangeFloat(gte=gte, gt=gt, lte=lte, lt=lt))


def is_value(field: str, value: str | int) -> Any:
    return edge.FieldCondition(field, match=edge.MatchValue(value))


def is_any(field: str, values: list[Any]) -> Any:
    return edge.FieldCondition(field, match=edge.MatchAny(values))


def nearest(vector: Any, within: Any, limit: int, *, exact: bool, with_payload: bool = True) -> Any:
    return edge.QueryRequest(
        limit=limit,
        query=edge.Query.Nearest(vector.tolist(), using=DENSE),
        filter=within,
        with_payload=with_payload,
        params=edge.SearchParams(exact=exact, hnsw_ef=SEARCH_EF),
    )


def worded(
    words: SparseVector, within: Any, among: Any, limit: int, *, with_payload: bool = True, with_words: bool = True
) -> Any:
    """The best chunks of `within` by BM25, `with_words` with their weights; words are rare or not among the chunks of
    `among`."""
    return edge.QueryRequest(
        limit=limit,
        query=edge.Query.Nearest(sparse_vector(words), using=BM25),
        filter=within,
        with_payload=with_payload,
        with_vector=[BM25] if with_words else False,
        params=edge.SearchParams(idf=edge.IdfParams(corpus=among)),
    )


def each_word(tokens: Iterable[int], seen: Any) -> list[Any]:
    """For each token the best chunk, from which its weight is told. Counting is done once for a batch of requests."""
    return [worded(SparseVector((token,), (1.0,)), seen, seen, 1, with_payload=False) for token in tokens]


def sparse_vector(vector: SparseVector) -> Any:
    return edge.SparseVector(list(vector.indices), list(vector.values))


def edge_point(point: Point) -> Any:
    vectors = {DENSE: point.dense.tolist(), BM25: sparse_vector(point.sparse)}
    return edge.Point(point.id, vectors, dict(point.payload))


def found(scored: Iterable[Any]) -> list[Found]:
    return [Found(str(each.id), float(each.score), each.payload, words_of(each.vector)) for each in scored]
