"""Our words for what is asked of Qdrant Edge, and its answers in ours."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import qdrant_edge as edge

from ragapp.access import Scope
from ragapp.index.base import Hit, Point, SparseVector
from ragapp.index.schema import BM25, DENSE, SEARCH_EF, rfc3339


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
    return edge.Filter(must=must)


def is_value(field: str, value: str | int) -> Any:
    return edge.FieldCondition(field, match=edge.MatchValue(value))


def is_any(field: str, values: list[Any]) -> Any:
    return edge.FieldCondition(field, match=edge.MatchAny(values))


def nearest(vector: Any, using: str, within: Any, limit: int, *, exact: bool = False) -> Any:
    return edge.QueryRequest(
        limit=limit,
        query=edge.Query.Nearest(vector, using=using),
        filter=within,
        with_payload=True,
        params=edge.SearchParams(exact=exact, hnsw_ef=SEARCH_EF),
    )


def sparse_vector(vector: SparseVector) -> Any:
    return edge.SparseVector(list(vector.indices), list(vector.values))


def edge_point(point: Point) -> Any:
    vectors = {DENSE: point.dense.tolist(), BM25: sparse_vector(point.sparse)}
    return edge.Point(point.id, vectors, dict(point.payload))


def hits(scored: Iterable[Any]) -> tuple[Hit, ...]:
    return tuple(Hit(str(found.id), float(found.score), found.payload) for found in scored)
