"""What every index promises, over both adapters: the same points, scopes and answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from qdrant_client import QdrantClient, models

from ragapp.access import Scope
from ragapp.embed.sparse import Bm25
from ragapp.errors import IndexUnavailable
from ragapp.index.base import Index, Point
from ragapp.index.edge import EdgeIndex
from ragapp.index.schema import DATETIME_FIELDS, INTEGER_FIELDS, KEYWORD_FIELDS, payload, text_hash
from ragapp.index.server import ServerIndex
from ragapp.types import Chunk

from .conftest import QDRANT_URL, server_index

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect", "ignore:Local mode performs exact")
DIMENSIONS = 8
ALL = Scope(frozenset({"everyone"}))
Make = Callable[[], Index]


def edge(folder: Path) -> Iterator[Index]:
    index = EdgeIndex(folder / "index" / "ragapp-test", DIMENSIONS)
    yield index
    index.close()


def server(_: Path) -> Iterator[Index]:
    with server_index(DIMENSIONS) as index:
        yield index


@pytest.fixture(params=[edge, server], ids=["edge", "server"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Index]:
    yield from request.param(tmp_path)


def vector(*leading: float) -> np.ndarray:
    full = np.zeros(DIMENSIONS, np.float32)
    full[: len(leading)] = leading
    return full / np.linalg.norm(full)


def point(
    document: str = "a",
    ordinal: int = 0,
    *,
    revision: int = 1,
    text: str = "",
    dense: np.ndarray | None = None,
    groups: frozenset[str] = frozenset({"everyone"}),
    collection: str = "default",
    file_type: str = "md",
    modified: datetime | None = None,
    dated: datetime | None = None,
) -> Point:
    words = text or f"{document} {ordinal}"
    chunk = Chunk(document, revision, ordinal, words, 0, len(words), ("Title",), (3,))
    kept = payload(
        chunk,
        gap="\n",
        page_starts=(0,),
        source=f"{document}.{file_type}",
        title=document,
        collection=collection,
        groups=groups,
        file_type=file_type,
        modified=modified,
        dated=dated,
    )
    (sparse,) = Bm25().encode_documents([words])
    return Point(chunk.point_id, vector(1, ordinal) if dense is None else dense, sparse, kept)


def documents(hits: tuple) -> list[str]:
    return [hit.payload["document_id"] for hit in hits]


def test_a_written_point_comes_back_with_its_id_payload_and_cosine(index: Index) -> None:
    written = point(dated=datetime(2024, 5, 1, tzinfo=UTC), dense=vector(3, 4))
    index.upsert([written])
    (hit,) = index.dense(vector(1), ALL, 5)
    assert hit.id == written.id
    assert hit.payload == written.payload
    assert hit.score == pytest.approx(0.6, abs=1e-5)


def test_writing_the_same_id_again_replaces_it(index: Index) -> None:
    index.upsert([point(text="first")])
    index.upsert([point(text="second")])
    assert index.count() == 1
    (hit,) = index.dense(vector(1), ALL, 5)
    assert hit.payload["text"] == "second"


def test_writing_nothing_is_allowed(index: Index) -> None:
    index.upsert([])
    assert index.count() == 0


def test_both_branches_answer_in_one_call_each_best_first(index: Index) -> None:
    index.upsert(
        [
            point("near", text="nothing of note", dense=vector(1)),
            point("far", text="the warranty lasts three years", dense=vector(0, 1)),
        ]
    )
    hits = index.hybrid(vector(1, 0.1), Bm25().encode_query("warranty"), ALL, 10)
    assert documents(hits.dense) == ["near", "far"]
    assert documents(hits.bm25) == ["far"]
    assert hits.bm25[0].score > 0


def test_a_question_without_words_finds_by_meaning_only(index: Index) -> None:
    index.upsert([point()])
    hits = index.hybrid(vector(1), Bm25().encode_query("the of and"), ALL, 10)
    assert documents(hits.dense) == ["a"]
    assert hits.bm25 == ()


def test_an_empty_index_finds_nothing(index: Index) -> None:
    hits = index.hybrid(vector(1), Bm25().encode_query("warranty"), ALL, 10)
    assert hits.dense == hits.bm25 == ()
    assert index.dense(vector(1), ALL, 3, exact=True) == ()
    assert index.vectors(["0" * 32]) == {}


def test_rarer_words_weigh_more(index: Index) -> None:
    index.upsert([point(f"common{i}", text="pump manual") for i in range(9)])
    index.upsert([point("rare", text="pump corvus")])
    hits = index.hybrid(vector(1), Bm25().encode_query("corvus manual"), ALL, 10)
    assert documents(hits.bm25)[0] == "rare"


def test_no_branch_brings_what_the_groups_do_not_see(index: Index) -> None:
    index.upsert([point("open", text="salary"), point("secret", text="salary", groups=frozenset({"hr"}))])
    for scope, seen in (
        (ALL, {"open"}),
        (Scope(frozenset({"hr"})), {"secret"}),
        (Scope(frozenset({"hr", "everyone"})), {"open", "secret"}),
        (Scope(frozenset({"nobody"})), set()),
        (Scope(frozenset()), set()),
    ):
        hits = index.hybrid(vector(1), Bm25().encode_query("salary"), scope, 10)
        assert set(documents(hits.dense)) == set(documents(hits.bm25)) == seen
        assert index.count(scope) == len(seen)


def test_a_point_without_groups_is_seen_by_nobody(index: Index) -> None:
    index.upsert([point(groups=frozenset())])
    assert index.dense(vector(1), ALL, 5) == ()
    assert index.count() == 1


@pytest.mark.parametrize(
    ("narrowed", "seen"),
    [
        ({"collections": frozenset({"law"})}, {"b"}),
        ({"sources": frozenset({"a.md", "c.pdf"})}, {"a", "c"}),
        ({"file_types": frozenset({"pdf"})}, {"c"}),
        ({"collections": frozenset({"law"}), "file_types": frozenset({"pdf"})}, set()),
        ({"since": datetime(2024, 1, 1, tzinfo=UTC)}, {"b", "c"}),
        ({"until": datetime(2024, 1, 1, tzinfo=UTC)}, {"a", "b"}),
        ({"since": datetime(2023, 1, 1), "until": datetime(2024, 6, 1)}, {"a", "b"}),
    ],
)
def test_a_scope_narrows_every_branch(index: Index, narrowed: dict, seen: set[str]) -> None:
    index.upsert(
        [
            point("a", text="word", modified=datetime(2023, 6, 1, tzinfo=UTC)),
            point("b", text="word", collection="law", modified=datetime(2024, 1, 1, tzinfo=UTC)),
            # its own date counts, not the file's
            point("c", text="word", file_type="pdf", modified=datetime(2020, 1, 1), dated=datetime(2025, 1, 1)),
            point("undated", text="other", collection="x", file_type="x"),
        ]
    )
    hits = index.hybrid(vector(1), Bm25().encode_query("word"), Scope(ALL.groups, **narrowed), 10)
    assert set(documents(hits.dense)) == set(documents(hits.bm25)) == seen


def test_times_with_a_zone_are_compared_in_utc(index: Index) -> None:
    noon_in_tokyo = datetime(2024, 1, 1, 12, tzinfo=timezone(timedelta(hours=9)))
    index.upsert([point(modified=noon_in_tokyo)])
    assert index.count(Scope(ALL.groups, since=datetime(2024, 1, 1, 3, tzinfo=UTC))) == 1
    assert index.count(Scope(ALL.groups, since=datetime(2024, 1, 1, 4, tzinfo=UTC))) == 0


def test_chunks_come_by_ordinal_of_one_revision_and_in_scope(index: Index) -> None:
    index.upsert([point("a", i) for i in range(5)] + [point("a", 1, revision=2), point("b", 1)])
    hits = index.chunks("a", 1, [3, 1, 1, 9], ALL)
    assert [(hit.payload["ordinal"], hit.payload["revision"]) for hit in hits] == [(1, 1), (3, 1)]
    assert [hit.payload["document_id"] for hit in hits] == ["a", "a"]
    assert index.chunks("a", 1, [], ALL) == ()
    assert index.chunks("a", 1, [1], Scope(frozenset({"hr"}))) == ()


def test_vectors_are_found_again_by_the_hash_of_their_text(index: Index) -> None:
    index.upsert([point("a", 1, dense=vector(1, 1)), point("b", 2)])
    known = index.vectors([text_hash("Title\na 1"), text_hash("never seen")])
    assert list(known) == [text_hash("Title\na 1")]
    np.testing.assert_allclose(known[text_hash("Title\na 1")], vector(1, 1), atol=1e-6)
    assert known[text_hash("Title\na 1")].dtype == np.float32


def test_a_text_that_stands_in_many_documents_hides_no_other(index: Index) -> None:
    index.upsert([point(f"copy{i}", text="boilerplate") for i in range(40)])
    index.upsert([point("z", text="single")])
    wanted = {text_hash("Title\nboilerplate"), text_hash("Title\nsingle")}
    assert set(index.vectors([*wanted, text_hash("nowhere")])) == wanted


def test_groups_change_without_touching_anything_else(index: Index) -> None:
    index.upsert([point("a", i) for i in range(3)] + [point("b")])
    index.set_groups("a", frozenset({"hr"}))
    assert index.count(ALL) == 1
    (hit, *_) = index.dense(vector(1), Scope(frozenset({"hr"})), 5)
    assert hit.payload["groups"] == ["hr"]
    assert hit.payload["text"] == "a 0"


def test_only_the_chunks_before_a_revision_go(index: Index) -> None:
    index.upsert([point("a", i, revision=r) for i in range(2) for r in (1, 2, 3, 12)] + [point("b")])
    index.delete_document("a", before=3)
    left = {(hit.payload["document_id"], hit.payload["revision"]) for hit in index.dense(vector(1), ALL, 20)}
    assert left == {("a", 3), ("a", 12), ("b", 1)}


def test_a_document_goes_wholly_or_all_but_one_revision(index: Index) -> None:
    index.upsert([point("a", i, revision=r) for i in range(2) for r in (1, 2)] + [point("b")])
    index.delete_document("a", keep_revision=2)
    assert {(hit.payload["document_id"], hit.payload["revision"]) for hit in index.dense(vector(1), ALL, 10)} == {
        ("a", 2),
        ("b", 1),
    }
    index.delete_document("a")
    index.delete_document("never there")
    assert documents(index.dense(vector(1), ALL, 10)) == ["b"]


def test_the_inventory_names_every_chunk_once_in_pages(index: Index) -> None:
    written = [point("a", i, revision=r) for i in range(7) for r in (1, 2)] + [point("b", groups=frozenset())]
    index.upsert(written)
    listed = list(index.inventory(page=4))
    assert sorted(chunk.id for chunk in listed) == sorted(p.id for p in written)
    assert {(c.document_id, c.revision, c.ordinal) for c in listed} == {
        *(("a", r, i) for i in range(7) for r in (1, 2)),
        ("b", 1, 0),
    }
    one = next(chunk for chunk in listed if chunk.document_id == "b")
    assert (one.source, one.collection, one.groups) == ("b.md", "default", frozenset())


def test_an_empty_index_has_an_empty_inventory(index: Index) -> None:
    assert list(index.inventory()) == []


def test_single_chunks_go_by_their_ids(index: Index) -> None:
    kept, gone = point("a", 0), point("a", 1)
    index.upsert([kept, gone])
    index.delete_chunks([gone.id])
    index.delete_chunks([])
    assert [chunk.id for chunk in index.inventory()] == [kept.id]


def test_a_still_index_is_searched(index: Index) -> None:
    index.upsert([point()])
    with index.still() as folder:
        assert documents(index.dense(vector(1), ALL, 5)) == ["a"]
        assert folder is None or any(folder.iterdir())


def test_flush_and_optimize_change_no_answer(index: Index) -> None:
    index.upsert([point("a", i) for i in range(20)])
    before = [hit.id for hit in index.dense(vector(1, 2), ALL, 20, exact=True)]
    index.flush()
    index.optimize()
    assert [hit.id for hit in index.dense(vector(1, 2), ALL, 20, exact=True)] == before


def test_a_closed_index_says_so(index: Index) -> None:
    index.close()
    index.close()
    with pytest.raises(IndexUnavailable, match="was closed"):
        index.count()
    with pytest.raises(IndexUnavailable, match="was closed"):
        index.flush()


FILTERED = {*KEYWORD_FIELDS, *INTEGER_FIELDS, *DATETIME_FIELDS}


class Breaking(QdrantClient):
    """Qdrant in memory, which makes no payload indexes, with the memory for them that a server has."""

    def __init__(self) -> None:
        super().__init__(":memory:")
        self.made: list[str] = []
        self.breaks_after: int | None = None

    def create_payload_index(self, collection_name: str, field_name: str, *rest: object, **more: object) -> object:
        if len(self.made) == self.breaks_after:
            raise KeyboardInterrupt
        self.made.append(field_name)
        return super().create_payload_index(collection_name, field_name, *rest, **more)  # type: ignore[arg-type]

    def get_collection(self, collection_name: str, **more: object) -> models.CollectionInfo:
        kept = models.PayloadIndexInfo(data_type=models.PayloadSchemaType.KEYWORD, points=0)
        found = super().get_collection(collection_name, **more)
        return found.model_copy(update={"payload_schema": dict.fromkeys(self.made, kept)})


@pytest.mark.parametrize("made_before", [0, 3])
def test_a_start_that_broke_off_between_its_payload_indexes_is_made_good(made_before: int) -> None:
    client = Breaking()
    client.breaks_after = made_before
    with pytest.raises(KeyboardInterrupt):
        ServerIndex(client, "ragapp-test", DIMENSIONS)
    client.breaks_after = None
    ServerIndex(client, "ragapp-test", DIMENSIONS)
    assert sorted(client.made) == sorted(FILTERED)
    ServerIndex(client, "ragapp-test", DIMENSIONS)
    assert len(client.made) == len(FILTERED), "a start that finds them all makes none"


@pytest.mark.qdrant
def test_a_server_names_its_payload_indexes_and_gets_a_lost_one_back() -> None:
    with server_index(DIMENSIONS) as index:
        client = QdrantClient(url=QDRANT_URL)
        client.delete_payload_index(index._name, "groups", wait=True)
        ServerIndex(client, index._name, DIMENSIONS)
        assert set(client.get_collection(index._name).payload_schema) == FILTERED
        client.close()
