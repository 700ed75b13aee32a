"""Both adapters give the same answers on any points and scopes, and never one outside the asker's groups.

Edge is compared with a real server where QDRANT_URL names one, else with what qdrant-client does in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragapp.access import Scope
from ragapp.conditions import Between, Condition, Every, Not, OneOf, Some, read_filter
from ragapp.index.base import HybridHits, Index, Point, SparseVector
from ragapp.index.edge import EdgeIndex
from ragapp.index.schema import rfc3339
from ragapp.types import Chunk

from .conftest import server_index

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect", "ignore:Local mode performs exact")

DIMENSIONS = 4
GROUPS = ("everyone", "hr", "law")
COLLECTIONS = ("default", "mail")
TYPES = ("md", "pdf")
DAY_ONE = datetime(2024, 1, 1, tzinfo=UTC)
QUERY = np.asarray([0.5, 0.5, 0.5, 0.5], np.float32)
WORDS = SparseVector((1, 2, 3), (1.0, 1.0, 1.0))


@contextmanager
def new_pair(folder: Path) -> Iterator[tuple[Index, Index]]:
    with closing(EdgeIndex(folder / "ragapp-test", DIMENSIONS)) as edge, server_index(DIMENSIONS) as server:
        yield edge, server


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Index, Index]]:
    with new_pair(tmp_path_factory.mktemp("index")) as pair:
        yield pair


FIELDS = ("team", "n", "by.name", "a b", "source", "collection")
values = st.sampled_from(["x", "y", "x.md", "default", "true", "1", True, False, 0, 1, 1.0, 0.5, -3, 2**53])
kept = values | st.none() | st.lists(values, max_size=2)
metadata = st.dictionaries(st.sampled_from(("team", "n", "a b", "source", "by.name")), kept, max_size=4) | st.builds(
    lambda name: {"by": {"name": name}}, kept
)
"""What a program says of a text that it adds; JSON tells true, 1 and "1" apart."""
leaves = (
    st.builds(lambda field, one: {field: one}, st.sampled_from(FIELDS), values)
    | st.builds(
        lambda field, operator, some: {field: {operator: some}},
        st.sampled_from(FIELDS),
        st.sampled_from(("$in", "$nin")),
        st.lists(values, min_size=1, max_size=3),
    )
    | st.builds(lambda field, one: {field: {"$ne": one}}, st.sampled_from(FIELDS), values)
    | st.builds(
        lambda field, operator, bound: {field: {operator: bound}},
        st.sampled_from(FIELDS),
        st.sampled_from(("$gt", "$gte", "$lt", "$lte")),
        st.sampled_from((0, 1, 0.5, -3)),
    )
)
filters = st.recursive(
    leaves,
    lambda inner: st.builds(
        lambda operator, parts: {operator: parts},
        st.sampled_from(("$and", "$or")),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=5,
)


@st.composite
def written(draw: st.DrawFn) -> list[Point]:
    made = []
    for ordinal in range(draw(st.integers(1, 14))):
        dense = np.asarray(draw(st.tuples(*[st.integers(-9, 9)] * DIMENSIONS).filter(any)), np.float32)
        terms = draw(st.dictionaries(st.integers(1, 6), st.integers(1, 4), min_size=1, max_size=4))
        date = draw(st.none() | st.integers(0, 20).map(lambda day: DAY_ONE + timedelta(days=day)))
        payload = {
            "document_id": draw(st.sampled_from("abc")),
            "revision": draw(st.integers(1, 2)),
            "ordinal": ordinal,
            "collection": draw(st.sampled_from(COLLECTIONS)),
            "source": draw(st.sampled_from(("x.md", "y.md"))),
            "file_type": draw(st.sampled_from(TYPES)),
            "groups": sorted(draw(st.frozensets(st.sampled_from(GROUPS)))),
            "date": rfc3339(date),
            "text_hash": draw(st.sampled_from("pqrs")),
        }
        if (own := draw(st.none() | metadata)) is not None:
            payload["metadata"] = own
        chunk = Chunk(payload["document_id"], payload["revision"], ordinal, "", 0, 0)
        sparse = SparseVector(tuple(terms), tuple(float(weight) for weight in terms.values()))
        made.append(Point(chunk.point_id, dense / np.linalg.norm(dense), sparse, payload))
    return made


scopes = st.builds(
    Scope,
    groups=st.frozensets(st.sampled_from((*GROUPS, "unknown"))),
    collections=st.frozensets(st.sampled_from(COLLECTIONS)),
    sources=st.frozensets(st.sampled_from(("x.md", "z.md"))),
    file_types=st.frozensets(st.sampled_from(TYPES), max_size=1),
    since=st.none() | st.integers(0, 20).map(lambda day: DAY_ONE + timedelta(days=day)),
    until=st.none() | st.integers(0, 20).map(lambda day: DAY_ONE + timedelta(days=day)),
    where=st.none() | filters.map(read_filter),
)


def at(field: str, payload: Mapping[str, Any]) -> list[Any]:
    """What stands under a field: in the text's own metadata, nested or under a name with dots, else in ragapp's."""
    own = payload.get("metadata", {})
    nested: Any = own
    for part in field.split("."):
        nested = nested.get(part) if isinstance(nested, dict) else None
    found = [each for each in (nested, own.get(field)) if each not in (None, [])]
    known = [payload[field]] if field in ("source", "collection") and not found else []
    return [one for each in found + known for one in (each if isinstance(each, list) else [each])]


def holds(condition: Condition, payload: Mapping[str, Any]) -> bool:
    """What a condition means."""
    match condition:
        case Every(parts):
            return all(holds(part, payload) for part in parts)
        case Some(parts):
            return any(holds(part, payload) for part in parts)
        case Not(part):
            return not holds(part, payload)
        case OneOf(field, wanted):
            return any(same(one, each) for one in at(field, payload) for each in wanted)
        case Between(field, gte, gt, lte, lt):
            return any(
                isinstance(one, int | float)
                and not isinstance(one, bool)
                and (gte is None or one >= gte)
                and (gt is None or one > gt)
                and (lte is None or one <= lte)
                and (lt is None or one < lt)
                for one in at(field, payload)
            )


def same(one: Any, other: Any) -> bool:
    kinds = [bool if isinstance(each, bool) else str if isinstance(each, str) else float for each in (one, other)]
    return kinds[0] is kinds[1] and one == other


def sees(scope: Scope, point: Point) -> bool:
    """What a scope means, said once more and without any index."""
    found = point.payload
    date = datetime.fromisoformat(found["date"]) if found["date"] else None
    timed = scope.since or scope.until
    return (
        bool(scope.groups & set(found["groups"]))
        and (scope.where is None or holds(scope.where, found))
        and (not scope.collections or found["collection"] in scope.collections)
        and (not scope.sources or found["source"] in scope.sources)
        and (not scope.file_types or found["file_type"] in scope.file_types)
        and (
            not timed
            or (
                date is not None
                and (scope.since is None or date >= scope.since)
                and (scope.until is None or date <= scope.until)
            )
        )
    )


def ids(hits: HybridHits) -> tuple[set[str], set[str]]:
    return {hit.id for hit in hits.dense}, {hit.id for hit in hits.bm25}


def clear(index: Index) -> None:
    for document in "abc":
        index.delete_document(document)
    assert index.count() == 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(points=written(), scope=scopes)
def test_both_bring_exactly_what_the_scope_sees(both: tuple[Index, Index], points: list[Point], scope: Scope) -> None:
    visible = {point.id for point in points if sees(scope, point)}
    worded = {point.id for point in points if point.id in visible and set(point.sparse.indices) & set(WORDS.indices)}
    for index in both:
        clear(index)
        index.upsert(points)
        assert index.count(scope) == len(visible)
        assert {hit.id for hit in index.dense(QUERY, scope, 50, exact=True)} == visible
        assert ids(index.hybrid(QUERY, WORDS, scope, 50)) == (visible, worded)
    ours, theirs = ({hit.id: hit.score for hit in index.dense(QUERY, scope, 50, exact=True)} for index in both)
    assert ours == pytest.approx(theirs, abs=1e-5)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(points=written(), scope=scopes)
def test_both_weigh_words_alike(both: tuple[Index, Index], points: list[Point], scope: Scope) -> None:
    # what other runs left deleted counts no more
    for index in both:
        clear(index)
        index.upsert(points)
    ours, theirs = (index.hybrid(QUERY, WORDS, scope, 50).bm25 for index in both)
    # the same chunks at the same scores, best first: the same order but for chunks of one score
    assert {hit.id: hit.score for hit in ours} == pytest.approx({hit.id: hit.score for hit in theirs}, rel=1e-5)
    for hits in (ours, theirs):
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    points=written(),
    changes=st.lists(
        st.tuples(st.sampled_from("abc"), st.none() | st.integers(1, 2) | st.frozensets(st.sampled_from(GROUPS))),
        max_size=4,
    ),
    scope=scopes,
)
def test_both_agree_after_any_changes(
    both: tuple[Index, Index], points: list[Point], changes: list[tuple[str, object]], scope: Scope
) -> None:
    for index in both:
        clear(index)
        index.upsert(points)
        for document, change in changes:
            if isinstance(change, frozenset):
                index.set_groups(document, change)
            else:
                index.delete_document(document, keep_revision=change)  # type: ignore[arg-type]
    edge, server = both
    assert edge.count() == server.count()
    assert ids(edge.hybrid(QUERY, WORDS, scope, 50)) == ids(server.hybrid(QUERY, WORDS, scope, 50))
    wanted = [*"pqrs", "unknown"]
    assert edge.vectors(wanted).keys() == server.vectors(wanted).keys()
    for revision in (1, 2):
        assert edge.chunks("a", revision, range(20), scope) == server.chunks("a", revision, range(20), scope)
