"""Two indexes that differ only in chunks that the asker doesn't see answer alike: the same chunks, in the same order,
with the same scores to the last digit."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
import pytest

from ragapp.access import Scope
from ragapp.embed.sparse import Bm25
from ragapp.index import scoring
from ragapp.index.base import Hit, Index, Point, SparseVector
from ragapp.index.edge import EdgeIndex
from ragapp.index.schema import payload
from ragapp.index.server import ServerIndex
from ragapp.types import Chunk

from .conftest import QDRANT_URL, server_index

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect", "ignore:Local mode performs exact")
DIMENSIONS = 8
GROUPS = frozenset({"everyone", "hr"})
ALL = Scope(GROUPS)
WORDS = [f"word{number}" for number in range(60)]
Pair = tuple[Index, Index]


@pytest.fixture(params=["edge", "server"])
def twins(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    with ExitStack() as stack:
        if request.param == "edge":
            made: list[Index] = [
                stack.enter_context(closing(EdgeIndex(tmp_path / name / "ragapp-test", DIMENSIONS)))
                for name in ("without", "with")
            ]
        else:
            made = [stack.enter_context(server_index(DIMENSIONS)) for _ in range(2)]
        yield made[0], made[1]


def point(document: str, ordinal: int, text: str, groups: frozenset[str], collection: str = "default") -> Point:
    chunk = Chunk(document, 1, ordinal, text, 0, len(text))
    kept = payload(
        chunk, gap="", page_starts=(), source=f"{document}.md", title=document, collection=collection, groups=groups,
        file_type="md", modified=None, dated=None,
    )  # fmt: skip
    meaning = np.random.default_rng(sum(text.encode())).normal(size=DIMENSIONS).astype(np.float32)
    (sparse,) = Bm25().encode_documents([text])
    return Point(chunk.point_id, meaning / np.linalg.norm(meaning), sparse, kept)


def written(seed: int, documents: int, prefix: str, groups: Callable[[random.Random], frozenset[str]]) -> list[Point]:
    """Chunks of few words, so that many are equal, and many more score alike."""
    drawn = random.Random(seed)
    return [
        point(
            f"{prefix}{number}",
            ordinal,
            " ".join(drawn.choices(WORDS, weights=range(len(WORDS), 0, -1), k=drawn.choice((1, 2, 3, 9)))),
            groups(drawn),
            drawn.choice(("default", "mail")),
        )
        for number in range(documents)
        for ordinal in range(3)
    ]


def furnish(twins: Pair, visible: list[Point], hidden: list[Point], seed: int) -> None:
    """What is visible in both, in one order; what is hidden between it in the second, in requests of other sizes."""
    without, with_hidden = twins
    drawn = random.Random(seed)
    for start in range(0, len(visible), 50):
        without.upsert(visible[start : start + 50])
    between = sorted([*enumerate(visible), *((drawn.randrange(len(visible)), each) for each in hidden)], key=_place)
    for start in range(0, len(between), 37):
        with_hidden.upsert([each for _, each in between[start : start + 37]])


def _place(entry: tuple[int, Point]) -> int:
    return entry[0]


def asked(seed: int, count: int) -> Iterator[tuple[np.ndarray, SparseVector]]:
    drawn = random.Random(seed)
    for number in range(count):
        meaning = np.random.default_rng(number).normal(size=DIMENSIONS).astype(np.float32)
        words = " ".join(drawn.sample(WORDS, drawn.choice((1, 2, 5, 12))))
        yield meaning / np.linalg.norm(meaning), Bm25().encode_query(words)


def assert_alike(twins: Pair, scope: Scope = ALL, limit: int = 12, seed: int = 1) -> None:
    without, with_hidden = twins
    in_memory = isinstance(without, ServerIndex) and not QDRANT_URL
    for dense, sparse in asked(seed, 8 if in_memory else 40):
        ours, theirs = (index.hybrid(dense, sparse, scope, limit) for index in twins)
        assert exactly(ours.bm25) == exactly(theirs.bm25)
        if in_memory:
            # numpy's products of a matrix differ in the last digit with how many rows it has; an engine's don't
            assert [hit.score for hit in ours.dense] == pytest.approx([hit.score for hit in theirs.dense], abs=1e-6)
            continue
        assert exactly(ours.dense) == exactly(theirs.dense)
        assert without.dense(dense, scope, limit) == with_hidden.dense(dense, scope, limit)


def exactly(hits: tuple[Hit, ...]) -> list[tuple[str, float]]:
    return [(hit.id, hit.score) for hit in hits]


def of_readers(drawn: random.Random) -> frozenset[str]:
    return frozenset(drawn.choice((["everyone"], ["hr"], ["everyone", "hr"], ["hr", "board"])))


def of_the_board(_: random.Random) -> frozenset[str]:
    return frozenset({"board"})


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_one_does_not_see_changes_nothing(twins: Pair, seed: int) -> None:
    furnish(twins, written(seed, 60, "seen", of_readers), written(seed + 9, 90, "hidden", of_the_board), seed)
    assert_alike(twins, seed=seed)
    # narrowed to a collection, a word is as rare as among all that is seen
    assert_alike(twins, Scope(GROUPS, collections=frozenset({"mail"})), seed=seed)
    assert_alike(twins, Scope(frozenset({"hr"})), seed=seed)


def test_nor_what_is_gone_or_was_taken_away_from_one(twins: Pair) -> None:
    visible, hidden = written(4, 60, "seen", of_readers), written(5, 90, "hidden", of_the_board)
    furnish(twins, visible, hidden + written(6, 30, "taken", of_readers) + written(7, 30, "removed", of_readers), 4)
    with_hidden = twins[1]
    for number in range(30):
        with_hidden.set_groups(f"taken{number}", frozenset({"board"}))
        with_hidden.delete_document(f"removed{number}")
        with_hidden.delete_document(f"hidden{number}")
    for index in twins:
        for number in range(0, 60, 7):
            index.delete_document(f"seen{number}")
    assert_alike(twins)
    for index in twins:
        index.optimize()
    assert_alike(twins)


def test_nor_what_the_catalog_hides_before_the_index_follows(twins: Pair) -> None:
    visible, behind = written(8, 60, "seen", of_readers), written(9, 30, "behind", of_readers)
    furnish(twins, visible, behind, 8)
    assert_alike(twins, Scope(GROUPS, without=frozenset(f"behind{number}" for number in range(30))))


def test_of_chunks_that_score_alike_the_same_come(twins: Pair) -> None:
    copies = [point(f"copy{number:03}", 0, "the same words", frozenset({"everyone"})) for number in range(150)]
    furnish(twins, copies, [point(f"hidden{n}", 0, "the same words", frozenset({"board"})) for n in range(150)], 10)
    first = sorted(copy.id for copy in copies)[:5]
    for index in twins:
        hits = index.hybrid(copies[0].dense, copies[0].sparse, ALL, 5)
        assert [hit.id for hit in hits.bm25] == [hit.id for hit in hits.dense] == first
        assert all(hit.payload["text"] == "the same words" for hit in hits.dense + hits.bm25)


def test_a_word_is_counted_anew_after_each_write(twins: Pair) -> None:
    index = twins[0]
    index.upsert([point("a", 0, "corvus pump", frozenset({"everyone"})), point("b", 0, "pump", frozenset({"hr"}))])
    query = np.eye(DIMENSIONS, dtype=np.float32)[0], Bm25().encode_query("pump corvus")

    def score() -> float:
        scores = {hit.payload["document_id"]: hit.score for hit in index.hybrid(*query, ALL, 5).bm25}
        assert scores == {hit.payload["document_id"]: hit.score for hit in index.hybrid(*query, ALL, 5).bm25}
        return scores["a"]

    counted = [score()]
    for change in (
        lambda: index.upsert([point("c", 0, "corvus", frozenset({"hr"}))]),
        lambda: index.set_groups("c", frozenset({"board"})),
        lambda: index.delete_document("b"),
    ):
        change()
        counted.append(score())
    assert len(set(counted)) == 3
    assert counted[2] == counted[0], "what was taken away counts no more"


def test_a_score_is_the_sum_of_how_rare_its_words_are_among_what_one_sees(twins: Pair) -> None:
    index = twins[0]
    texts = ["pump manual", "pump corvus", "pump pump", "valve"]
    index.upsert([point(f"d{number}", 0, text, frozenset({"everyone"})) for number, text in enumerate(texts)])
    index.upsert([point(f"h{number}", 0, "corvus", frozenset({"board"})) for number in range(50)])
    (best, *_) = index.hybrid(np.eye(DIMENSIONS, dtype=np.float32)[0], Bm25().encode_query("corvus"), ALL, 5).bm25
    (sparse,) = Bm25().encode_documents(["pump corvus"])
    rare = np.log((4 - 1 + 0.5) / (1 + 0.5) + 1)
    (token,) = Bm25().encode_query("corvus").indices
    assert best.score == pytest.approx(rare * dict(zip(sparse.indices, sparse.values, strict=True))[token], rel=1e-4)


def test_a_graph_is_not_walked_where_little_is_visible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ragapp.index.edge._GRAPH_FROM_KB", 1)
    with closing(EdgeIndex(tmp_path / "ragapp-test", DIMENSIONS)) as index:
        drawn = np.random.default_rng(1).normal(size=(3000, DIMENSIONS)).astype(np.float32)
        for start in range(0, 3000, 500):
            index.upsert([_anywhere(n, drawn[n], "hr" if n % 3 else "board") for n in range(start, start + 500)])
        index.optimize()
        seen = Scope(frozenset({"hr"}))
        for query in np.random.default_rng(2).normal(size=(30, DIMENSIONS)).astype(np.float32):
            near = sorted((n for n in range(3000) if n % 3), key=lambda n: -(_unit(drawn[n]) @ _unit(query)))
            found = [hit.payload["ordinal"] for hit in index.dense(_unit(query), seen, 20)]
            assert found == near[:20]


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _anywhere(number: int, meaning: np.ndarray, group: str) -> Point:
    made = point("d", number, f"text {number}", frozenset({group}))
    return Point(made.id, _unit(meaning), made.sparse, made.payload)


def test_many_more_equal_chunks_than_are_looked_through_cost_no_more(
    twins: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "_MOST", 40)
    index = twins[0]
    index.upsert([point(f"copy{number}", 0, "boilerplate", frozenset({"everyone"})) for number in range(200)])
    hits = index.hybrid(np.eye(DIMENSIONS, dtype=np.float32)[0], Bm25().encode_query("boilerplate"), ALL, 30)
    assert len(hits.bm25) == len(hits.dense) == 30
