"""LangChain's `filter=` and keywords: what a store understands it does inside the query, what it doesn't it refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.indexing import InMemoryRecordManager, index

from ragapp import RagApp, narrow
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.files import DocumentFiles
from ragapp.embed.sparse import Bm25
from ragapp.errors import RagappError
from ragapp.index.edge import EdgeIndex
from ragapp.index.vectorstore import Placement, RagVectorStore, StoreParts
from ragapp.types import Principal

ANN = Principal("ann", frozenset({"hr"}))
BOB = Principal("bob")
TEXTS: dict[str, dict[str, Any]] = {
    "old": {"team": "valves", "year": 2019, "draft": True, "share": 0.5},
    "new": {"team": "valves", "year": 2026, "draft": False, "tags": ["a", "b"]},
    "hose": {"team": "hoses", "year": 2026.0, "draft": 1, "by": {"name": "ida"}},
    "odd": {"a.b": "x", "über uns": "y", "team": None},
    "bare": {},
}


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[StoreParts]:
    catalog = Catalog.open(tmp_path)
    edge = EdgeIndex(tmp_path / "index" / "ragapp-test", 6)
    yield StoreParts(edge, catalog, DocumentFiles(tmp_path), DeterministicFakeEmbedding(size=6), Bm25())
    edge.close()
    catalog.close()


@pytest.fixture
def store(parts: StoreParts) -> RagVectorStore:
    store = RagVectorStore(parts, BOB)
    store.add_texts(list(TEXTS), list(TEXTS.values()), ids=list(TEXTS))
    # a secret that every condition below would find, too
    secret = RagVectorStore(parts, ANN, Placement("secret", frozenset({"hr"})))
    secret.add_texts([f"secret {name}" for name in TEXTS], list(TEXTS.values()))
    return store


def ids(found: list[Document]) -> set[str]:
    return {str(document.id) for document in found}


Search = Callable[[RagVectorStore, dict[str, Any]], list[Document]]
SEARCHES: dict[str, Search] = {
    "similarity_search": lambda store, more: store.similarity_search("q", k=20, **more),
    "with_score": lambda store, more: [d for d, _ in store.similarity_search_with_score("q", k=20, **more)],
    "with_relevance_scores": lambda store, more: [
        d for d, _ in store.similarity_search_with_relevance_scores("q", k=20, **more)
    ],
    "by_vector": lambda store, more: store.similarity_search_by_vector(store.embeddings.embed_query("q"), k=20, **more),
    "mmr": lambda store, more: store.max_marginal_relevance_search("q", k=20, fetch_k=20, **more),
    "mmr_by_vector": lambda store, more: store.max_marginal_relevance_search_by_vector(
        store.embeddings.embed_query("q"), k=20, fetch_k=20, **more
    ),
    "search": lambda store, more: store.search("q", "similarity", k=20, **more),
    "asearch": lambda store, more: asyncio.run(store.asimilarity_search("q", k=20, **more)),
    "retriever": lambda store, more: store.as_retriever(search_kwargs={"k": 20, **more}).invoke("q"),
    "retriever_asked": lambda store, more: store.as_retriever(search_kwargs={"k": 20}).invoke("q", **more),
    "mmr_retriever": lambda store, more: store.as_retriever(search_type="mmr", search_kwargs={"k": 20, **more}).invoke(
        "q"
    ),
    "threshold_retriever": lambda store, more: store.as_retriever(
        search_type="similarity_score_threshold", search_kwargs={"k": 20, "score_threshold": 0.0, **more}
    ).invoke("q"),
}


@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
class TestEverySearch:
    def test_brings_only_what_the_filter_leaves(self, store: RagVectorStore, search: Search) -> None:
        assert ids(search(store, {})) == set(TEXTS)
        assert ids(search(store, {"filter": {"team": "valves"}})) == {"old", "new"}
        assert ids(search(store, {"filter": {"year": {"$gte": 2020}}})) == {"new", "hose"}

    @pytest.mark.parametrize("unknown", [{"where": {"team": "valves"}}, {"fliter": {"team": "valves"}}, {"groups": []}])
    def test_refuses_a_keyword_that_it_does_not_know(
        self, store: RagVectorStore, search: Search, unknown: dict[str, Any]
    ) -> None:
        with pytest.raises(RagappError, match=next(iter(unknown))):
            search(store, unknown)

    @pytest.mark.parametrize("wrong", [{}, {"$near": "x"}, {"team": {"$regex": ".*"}}, {"groups": "hr"}, "team = 1"])
    def test_refuses_a_filter_that_it_does_not_understand(
        self, store: RagVectorStore, search: Search, wrong: Any
    ) -> None:
        with pytest.raises(RagappError, match="filter"):
            search(store, {"filter": wrong})


@pytest.mark.parametrize("misplaced", [{"filter": {"team": "valves"}}, {"k": 1}, {"narrowed": narrow()}])
def test_a_retriever_passes_over_nothing_that_belongs_in_its_search(
    store: RagVectorStore, misplaced: dict[str, Any]
) -> None:
    with pytest.raises(RagappError, match=f"{next(iter(misplaced))}.*search_kwargs"):
        store.as_retriever(**misplaced)
    assert store.as_retriever(name="ours", tags=["a"], metadata={"b": 1}).invoke("q")


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"team": "valves", "year": 2026}, {"new"}),
        ({"team": ["hoses", "pumps"]}, {"hose"}),
        ({"team": {"$in": ["hoses", "valves"]}}, {"old", "new", "hose"}),
        ({"team": {"$nin": ["hoses", "valves"]}}, {"odd", "bare"}),
        ({"team": {"$ne": "valves"}}, {"hose", "odd", "bare"}),
        ({"team": "valve"}, set()),
        ({"year": 2026}, {"new", "hose"}),
        ({"year": {"$in": [2019, "2026"]}}, {"old"}),
        ({"year": {"$gt": 2019, "$lt": 2027}}, {"new", "hose"}),
        ({"year": {"$lte": 2019}}, {"old"}),
        ({"share": 0.5}, {"old"}),
        ({"draft": True}, {"old"}),
        ({"draft": False}, {"new"}),
        ({"draft": 1}, {"hose"}),
        ({"draft": {"$ne": True}}, {"new", "hose", "odd", "bare"}),
        ({"tags": "b"}, {"new"}),
        ({"tags": {"$ne": "b"}}, {"old", "hose", "odd", "bare"}),
        ({"by.name": "ida"}, {"hose"}),
        ({"a.b": "x"}, {"odd"}),
        ({"über uns": "y"}, {"odd"}),
        ({"$or": [{"team": "hoses"}, {"year": {"$lt": 2020}}]}, {"old", "hose"}),
        ({"$and": [{"team": "valves"}, {"$or": [{"draft": False}, {"share": {"$gt": 1}}]}]}, {"new"}),
        ({"$or": [{"team": "valves"}], "year": 2019}, {"old"}),
        # what the text itself doesn't say ragapp knows
        ({"source": "old"}, {"old"}),
        ({"collection": "default", "team": "hoses"}, {"hose"}),
        ({"collection": "secret"}, set()),
        ({"metadata": "x"}, set()),
        ({"text_hash": {"$ne": "x"}}, set(TEXTS)),
    ],
)
def test_what_a_filter_means(store: RagVectorStore, wanted: dict[str, Any], expected: set[str]) -> None:
    assert ids(store.similarity_search("q", k=20, filter=wanted)) == expected


def test_a_text_s_own_source_stands_before_the_one_that_ragapp_gave_it(parts: StoreParts) -> None:
    store = RagVectorStore(parts, BOB)
    store.add_texts(["a", "b"], [{"source": "web"}, {}], ids=["x", "web"])
    assert ids(store.similarity_search("q", filter={"source": "x"})) == set()
    assert ids(store.similarity_search("q", filter={"source": "web"})) == {"x", "web"}


def test_it_narrows_what_narrowed_leaves(store: RagVectorStore) -> None:
    some = narrow(sources=["old", "hose"])
    assert ids(store.similarity_search("q", k=9, filter={"team": "valves"}, narrowed=some)) == {"old"}
    assert store.similarity_search("q", filter={"team": "valves"}, narrowed=narrow(collections="secret")) == []


def test_it_stands_inside_the_query_so_that_what_is_far_is_found(parts: StoreParts) -> None:
    store = RagVectorStore(parts, BOB)
    names = [str(number) for number in range(60)]
    store.add_texts(names, [{"n": number} for number in range(60)], ids=names)
    for number in range(60):
        assert ids(store.similarity_search("q", k=1, filter={"n": number})) == {str(number)}


def test_chunks_of_files_are_told_by_what_their_metadata_shows(fresh: RagApp, tmp_path: Path) -> None:
    for name in ("north", "south"):
        (tmp_path / f"{name}.md").write_text(f"# {name.title()}\n\nThe {name} lift is out of order.\n")
    fresh.ingest(tmp_path / "north.md", collection="lifts")
    fresh.ingest(tmp_path / "south.md")
    store = fresh.vectorstore()
    retriever = fresh.retriever()
    for search in (lambda wanted: store.similarity_search("lift", filter=wanted),
                   lambda wanted: retriever.invoke("lift", filter=wanted)):  # fmt: skip
        (found,) = search({"collection": "lifts"})
        shown = {key: found.metadata[key] for key in ("source", "title", "document_id", "revision", "start", "end")}
        assert search(shown)[0].id == found.id
        for name, value in shown.items():
            assert found.id in ids(search({name: value})), name
        assert [each.metadata["title"] for each in search({"heading": "South"})] == ["South"]
        assert len(search({"title": {"$in": ["North", "South"]}})) == 2
        assert search({"file": "north.md"}) == []


class TestOtherKeywords:
    def test_the_retriever_refuses_what_it_does_not_know(self, fresh: RagApp) -> None:
        with pytest.raises(RagappError, match="narowed"):
            fresh.retriever().invoke("lift", narowed=narrow(collections="x"))
        with pytest.raises(RagappError, match="narrowed"):
            fresh.retriever().invoke("lift", narrowed=narrow(collections="x"))
        made = fresh.retriever(limit=3)
        with pytest.raises(ValueError, match="narowed"):
            type(made)(search=made.search, principal=BOB, narowed=None)

    def test_the_retriever_s_filter_narrows_what_it_was_built_for(self, fresh: RagApp, tmp_path: Path) -> None:
        (tmp_path / "a.md").write_text("The north lift is out of order.\n")
        fresh.ingest(tmp_path / "a.md")
        bound = fresh.retriever(narrowed=narrow(collections="elsewhere"))
        assert bound.invoke("lift", filter={"collection": "default"}) == []
        assert len(fresh.retriever().invoke("lift", filter={"collection": "default"}, k=1)) == 1

    def test_adding_and_deleting_refuse_what_they_do_not_know(self, parts: StoreParts) -> None:
        store = RagVectorStore(parts, BOB)
        with pytest.raises(RagappError, match="groups"):
            store.add_texts(["a"], groups=["hr"])
        with pytest.raises(RagappError, match="collection"):
            store.add_documents([Document("a")], collection="secret")
        assert parts.index.count() == 0
        store.add_texts(["a"], ids=["a"])
        with pytest.raises(RagappError, match="filter"):
            store.delete(["a"], filter={"team": "valves"})
        assert ids(store.similarity_search("a")) == {"a"}

    @pytest.mark.parametrize("more", [{"groups": ["hr"]}, {"collection": "secret"}])
    def test_making_a_store_refuses_them_too(self, parts: StoreParts, more: dict[str, Any]) -> None:
        known = {"index": parts.index, "catalog": parts.catalog, "files": parts.files, "bm25": parts.bm25}
        with pytest.raises(RagappError, match=next(iter(more))):
            RagVectorStore.from_texts(["a"], parts.embeddings, principal=BOB, **known, **more)
        with pytest.raises(RagappError, match="principal"):
            RagVectorStore.from_texts(["a"], parts.embeddings, **known)
        assert parts.index.count() == 0

    def test_langchain_s_own_indexing_is_understood(self, parts: StoreParts) -> None:
        store, records = RagVectorStore(parts, BOB), InMemoryRecordManager("test")
        records.create_schema()
        documents = [Document("one", metadata={"source": "a"}), Document("two", metadata={"source": "b"})]
        for _ in range(2):
            done = index(documents, records, store, cleanup="full", key_encoder="sha256", batch_size=1)
        assert done["num_skipped"] == 2
        index(documents[:1], records, store, cleanup="full", key_encoder="sha256")
        assert [found.page_content for found in store.similarity_search("q")] == ["one"]
