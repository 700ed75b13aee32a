"""Fusion keeps every stage's rank, orders by both branches, and repeats itself."""

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from ragapp.index.base import Hit, HybridHits
from ragapp.retrieve.fuse import fuse


def hits(**scores: float) -> tuple[Hit, ...]:
    return tuple(Hit(name, score, {}) for name, score in sorted(scores.items(), key=lambda item: -item[1]))


def test_what_both_branches_like_comes_first() -> None:
    order = fuse(HybridHits(hits(a=0.9, b=0.8, c=0.1), hits(b=9.0, d=8.0, a=1.0)), 10)
    assert order[0].id == "b"
    assert {stage: s.rank for stage, s in order[0].scores.items()} == {"dense": 2, "bm25": 1, "fused": 1}


def test_a_branch_that_found_nothing_does_not_matter() -> None:
    assert [hit.id for hit in fuse(HybridHits(hits(a=0.9, b=0.5), ()), 10)] == ["a", "b"]
    assert [hit.id for hit in fuse(HybridHits((), hits(a=3.0, b=2.0)), 10)] == ["a", "b"]
    assert fuse(HybridHits((), ()), 10) == []


def test_beyond_the_cut_off_a_score_is_unknown_not_zero() -> None:
    dense, bm25 = hits(a=0.9, b=0.8), hits(c=2.0, b=1.9)
    cut_off = {hit.id: hit.score for hit in fuse(HybridHits(dense, bm25), 2)}
    complete = {hit.id: hit.score for hit in fuse(HybridHits(dense, bm25), 3)}
    assert cut_off["a"] > complete["a"]
    assert cut_off["b"] == complete["b"]


branch = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(-1, 1), max_size=8)


@given(branch, branch)
@example({"a": 5e-324, "b": 0.0}, {})  # the smallest number there is
def test_every_hit_once_best_first_with_ranks_in_order(dense: dict[str, float], bm25: dict[str, float]) -> None:
    order = fuse(HybridHits(hits(**dense), hits(**bm25)), 8)
    assert {hit.id for hit in order} == dense.keys() | bm25.keys()
    assert len(order) == len({hit.id for hit in order})
    assert [hit.scores["fused"].rank for hit in order] == list(range(1, len(order) + 1))
    assert all(one.score >= other.score for one, other in pairwise(order))


def test_equal_scores_are_ordered_by_place_however_the_index_was_written() -> None:
    def found(point: str, ordinal: int) -> Hit:
        return Hit(point, 2.5, {"document_id": "d", "ordinal": ordinal})

    written_once = (found("zz", 1), found("aa", 2), found("mm", 3))
    written_again = (found("m2", 3), found("z2", 1), found("a2", 2))
    for branch in (written_once, written_again):
        assert [hit.payload["ordinal"] for hit in fuse(HybridHits((), branch), 10)] == [1, 2, 3]
        assert [hit.payload["ordinal"] for hit in fuse(HybridHits(branch, branch), 10)] == [1, 2, 3]
