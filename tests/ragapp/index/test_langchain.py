"""LangChain's published suite over the vector store, and what the suite doesn't ask: principals and the catalog."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_tests.integration_tests import VectorStoreIntegrationTests

from ragapp.access import Scope
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.files import DocumentFiles
from ragapp.embed.sparse import Bm25
from ragapp.errors import RagappError, StorageFull
from ragapp.index.base import Point
from ragapp.index.edge import EdgeIndex
from ragapp.index.vectorstore import Placement, RagVectorStore, StoreParts
from ragapp.types import Principal, document_id

ANN = Principal("ann", frozenset({"hr"}))
BOB = Principal("bob")


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[StoreParts]:
    catalog = Catalog.open(tmp_path)
    index = EdgeIndex(tmp_path / "index" / "ragapp-test", 6)
    yield StoreParts(index, catalog, DocumentFiles(tmp_path), DeterministicFakeEmbedding(size=6), Bm25())
    index.close()
    catalog.close()


class TestConformance(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, parts: StoreParts) -> RagVectorStore:
        return RagVectorStore(parts, BOB)


def placed(*groups: str, collection: str = "default") -> Placement:
    return Placement(collection, frozenset(groups))


def kept(parts: StoreParts) -> set[bytes]:
    """The originals that there are."""
    return {each.path.read_bytes() for each in parts.files.kept() if each.kind == "original"}


def test_a_store_shows_its_principal_only_what_it_may_see(parts: StoreParts) -> None:
    RagVectorStore(parts, ANN, placed("hr")).add_texts(["salaries"], ids=["pay"])
    assert RagVectorStore(parts, BOB).similarity_search("salaries") == []
    assert RagVectorStore(parts, BOB).get_by_ids(["pay"]) == []
    (found,) = RagVectorStore(parts, ANN).similarity_search("salaries")
    assert found.page_content == "salaries"


def test_nobody_overwrites_or_deletes_what_they_can_not_see(parts: StoreParts) -> None:
    ann = RagVectorStore(parts, ANN, placed("hr"))
    ann.add_texts(["salaries"], ids=["pay"])
    bob = RagVectorStore(parts, BOB)
    with pytest.raises(RagappError, match="belongs to another document"):
        bob.add_texts(["mine"], ids=["pay"])
    bob.delete(["pay"])
    assert [found.page_content for found in ann.similarity_search("salaries")] == ["salaries"]


def test_a_removed_document_never_shows_even_while_its_chunks_stand(parts: StoreParts) -> None:
    store = RagVectorStore(parts, BOB)
    store.add_texts([f"text {i}" for i in range(30)], ids=[str(i) for i in range(30)])
    near = [found.id for found in store.similarity_search("text 3", k=25)]
    for name in near:
        parts.catalog.remove(document_id("default", str(name)))
    assert parts.index.count() == 30
    left = {found.id for found in store.similarity_search("text 3", k=4)}
    assert len(left) == 4
    assert left.isdisjoint(near)


def test_groups_taken_back_in_the_catalog_hide_it_at_once(parts: StoreParts) -> None:
    store = RagVectorStore(parts, BOB)
    store.add_texts(["open"], ids=["a"])
    parts.catalog.access.change({document_id("default", "a"): frozenset({"hr"})})
    assert store.similarity_search("open") == []
    assert store.get_by_ids(["a"]) == []


def test_a_scope_can_narrow_and_never_widen(parts: StoreParts) -> None:
    RagVectorStore(parts, ANN, placed("hr", collection="x")).add_texts(["secret"], ids=["s"])
    bob = RagVectorStore(parts, BOB)
    bob.add_texts(["open"], ids=["o"])
    assert bob.similarity_search("secret", narrowed=Scope(frozenset({"hr"}), frozenset({"x"}))) == []
    assert bob.similarity_search("open", narrowed=Scope(frozenset({"hr"}), frozenset({"default"})))[0].id == "o"


def test_scores_are_cosines_and_relevance_lies_between_0_and_1(parts: StoreParts) -> None:
    store = RagVectorStore(parts, BOB)
    store.add_texts(["one", "two"])
    scores = [score for _, score in store.similarity_search_with_score("one")]
    assert scores[0] == pytest.approx(1, abs=1e-5)
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for _, score in store.similarity_search_with_relevance_scores("one"))


def test_searches_by_vector_for_variety_and_as_a_retriever(parts: StoreParts) -> None:
    store = RagVectorStore(parts, BOB)
    store.add_texts(["one", "two", "three"], ids=["1", "2", "3"])
    assert store.similarity_search_by_vector(parts.embeddings.embed_query("two"), k=1)[0].id == "2"
    varied = store.max_marginal_relevance_search("one", k=2, fetch_k=3)
    assert varied[0].id == "1"
    assert len(varied) == 2
    assert store.as_retriever(search_kwargs={"k": 1}).invoke("three")[0].id == "3"


def test_added_texts_count_in_the_catalog_like_any_document(parts: StoreParts) -> None:
    store = RagVectorStore(parts, BOB)
    store.add_documents([Document(id="n", page_content="note", metadata={"k": [1, {"x": None}]})])
    row = parts.catalog.by_source("default", "n")
    assert row is not None
    assert (row.state, row.chunks, row.size, row.groups) == ("live", 1, 4, frozenset({"everyone"}))
    assert store.get_by_ids(["n"])[0].metadata == {"k": [1, {"x": None}]}


@pytest.mark.parametrize("text", ["Two  spaces,\r\na tab\tand \x07", "", "  "])
def test_an_added_text_is_kept_as_it_is(parts: StoreParts, text: str) -> None:
    RagVectorStore(parts, BOB).add_texts([text], ids=["a"])
    row = parts.catalog.by_source("default", "a")
    assert row is not None
    extracted = parts.files.extracted(row.sha256, row.parser_version.split(".")[0])
    assert extracted is not None
    assert (extracted.text, extracted.title) == (text, "a")
    assert [extracted.text[each.start : each.end] for each in extracted.elements] == ([text] if text else [])
    assert kept(parts) == {text.encode("utf-8", "surrogatepass")}


def test_an_earlier_text_of_an_id_is_kept_while_the_document_is_and_goes_with_it(parts: StoreParts) -> None:
    """An answer that was given before may point into it."""
    store = RagVectorStore(parts, BOB)
    store.add_texts(["old", "new"], ids=["a", "b"])
    store.add_texts(["new"], ids=["a"])
    assert kept(parts) == {b"old", b"new"}
    store.delete(["a"])
    assert kept(parts) == {b"new"}, "another document has the same text"
    store.delete(["b"])
    assert not list(parts.files.kept())
    assert parts.index.count() == 0
    assert parts.catalog.removals.due() == ()


def test_a_text_that_could_not_be_written_leaves_nothing(parts: StoreParts, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StorageFull("The disk is full; free some space.")

    monkeypatch.setattr(EdgeIndex, "upsert", full)
    with pytest.raises(StorageFull):
        RagVectorStore(parts, BOB).add_texts(["a", "b", "a"])
    assert not list(parts.files.kept())


def test_what_somebody_else_removes_meanwhile_keeps_its_bytes_for_whoever_adds_them(
    parts: StoreParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RagVectorStore(parts, BOB)
    store.add_texts(["same"], ids=["a"])
    upsert = EdgeIndex.upsert

    def meanwhile(index: EdgeIndex, points: list[Point]) -> None:
        store.delete(["a"])
        upsert(index, points)

    with monkeypatch.context() as patched:
        patched.setattr(EdgeIndex, "upsert", meanwhile)
        store.add_texts(["same"], ids=["b"])
    assert kept(parts) == {b"same"}
    assert {each.kind for each in parts.files.kept()} == {"original", "extracted"}


def test_from_texts_makes_a_bound_store(parts: StoreParts) -> None:
    store = RagVectorStore.from_texts(
        ["a"],
        parts.embeddings,
        index=parts.index,
        catalog=parts.catalog,
        files=parts.files,
        bm25=parts.bm25,
        principal=BOB,
    )
    assert [found.page_content for found in store.similarity_search("a")] == ["a"]


@pytest.mark.parametrize("metadata", [{"bad": object()}, {"nan": float("nan")}])
def test_metadata_that_is_not_json_is_refused_and_nothing_written(parts: StoreParts, metadata: dict[str, Any]) -> None:
    with pytest.raises(RagappError, match="not JSON"):
        RagVectorStore(parts, BOB).add_texts(["a"], [metadata])
    assert parts.index.count() == 0
    assert kept(parts) == set()


def test_delete_without_ids_is_refused(parts: StoreParts) -> None:
    with pytest.raises(RagappError, match="name the ids"):
        RagVectorStore(parts, BOB).delete()


def test_a_crash_between_writing_and_committing_shows_nothing(parts: StoreParts, monkeypatch: Any) -> None:
    store = RagVectorStore(parts, BOB)
    store.add_texts(["old"], ids=["a"])

    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(parts.catalog, "commit_document", dies)
        with pytest.raises(KeyboardInterrupt):
            store.add_texts(["new"], ids=["a"])
    assert [found.page_content for found in store.similarity_search("new")] == ["old"]
    assert kept(parts) == {b"old"}
    store.add_texts(["newer"], ids=["a"])
    assert [found.page_content for found in store.similarity_search("new")] == ["newer"]
    assert parts.index.count() == 1
