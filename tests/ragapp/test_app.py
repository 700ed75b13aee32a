"""From documents to cited answers, as a developer calls it."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ragapp import Answer, Passage, Principal, RagApp, Settings
from ragapp.answer.bridge import LoopThread
from ragapp.answer.chain import Stages
from ragapp.answer.events import CitationReady, Done, PassagesFound, SentenceReady, TokenArrived
from ragapp.catalog.catalog import Catalog
from ragapp.embed.dense import DenseEmbedder
from ragapp.errors import BadQuestion, ModelError, QuestionTooLong

QUESTION = "By when do I have to enter my summer holiday in the portal?"


def extracted_text(app: RagApp, document_id: str) -> str:
    row = app.catalog.document(document_id)
    assert row is not None
    extracted = app.files.extracted(row.sha256, row.parser_version.split(".")[0])
    assert extracted is not None
    return extracted.text


def quotes_hold(app: RagApp, answer: Answer) -> bool:
    return all(extracted_text(app, c.document_id)[c.start : c.end] == c.quote for c in answer.citations)


@pytest.mark.engine
class TestAnAnswer:
    def test_every_sentence_points_at_its_words(self, app: RagApp) -> None:
        answer = app.ask(QUESTION)
        assert answer.status == "answered"
        assert "31 January" in answer.text
        assert all(sentence.markers for sentence in answer.sentences if sentence.supported)
        assert {c.marker for c in answer.citations} == {m for s in answer.sentences for m in s.markers}
        assert answer.citations[0].source.endswith("hr/employee_handbook.md")
        assert quotes_hold(app, answer)
        assert answer.usage.prompt_tokens > 0
        assert answer.timings.first_token_s is not None

    def test_what_is_not_in_the_documents_is_said_to_be_so(self, app: RagApp) -> None:
        answer = app.ask("What is the capital of Australia?")
        assert (answer.status, answer.citations, answer.sentences) == ("not_found", (), ())
        assert answer.nearest
        assert answer.reason
        assert answer.usage.completion_tokens == 0

    def test_a_follow_up_understands_and_finds_its_prefix_in_the_cache(self, app: RagApp) -> None:
        first = app.ask("What is the hotel limit in London?")
        second = app.ask("And in Germany?", history=[first])
        assert second.usage.cached_tokens > first.usage.prompt_tokens * 0.8
        assert any("travel" in passage.source for passage in second.passages)

    def test_events_come_in_order_and_end_with_the_answer(self, app: RagApp) -> None:
        events = list(app.stream(QUESTION, tokens=True))
        kinds = [type(event) for event in events]
        assert kinds[0] is PassagesFound
        assert kinds[-1] is Done
        assert TokenArrived in kinds
        assert kinds.index(CitationReady) < kinds.index(SentenceReady)
        assert sum(kind is Done for kind in kinds) == 1

    def test_leaving_in_the_middle_frees_the_request(self, app: RagApp) -> None:
        stream = app.stream(QUESTION, tokens=True)
        for event in stream:
            if isinstance(event, TokenArrived):
                break
        stream.close()  # type: ignore[attr-defined]
        waited = threading.Event()
        for _ in range(50):
            if not app.engine.running():
                break
            waited.wait(0.1)
        assert app.engine.running() == 0

    async def test_one_event_loop_asks_many_at_once(self, app: RagApp) -> None:
        answers = await asyncio.gather(*(app.aask(QUESTION) for _ in range(3)))
        assert len({answer.text for answer in answers}) == 1
        events = [event async for event in app.astream(QUESTION)]
        assert isinstance(events[-1], Done)

    def test_many_threads_ask_at_once(self, app: RagApp) -> None:
        found: list[str] = []
        threads = [threading.Thread(target=lambda: found.append(app.ask(QUESTION).text)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 3
        assert len(set(found)) == 1

    def test_the_chain_is_a_runnable(self, app: RagApp) -> None:
        answers = app.chain().batch([QUESTION, {"question": "What is the capital of Australia?"}])
        assert [answer.status for answer in answers] == ["answered", "not_found"]
        sequence = app.chain() | (lambda answer: answer.text)
        text = sequence.invoke(QUESTION)
        assert "31 January" in text
        assert list(sequence.stream(QUESTION)) == [text]


class TestBadQuestions:
    @pytest.mark.parametrize("question", ["", "   \n\t", "\x00\x07"])
    def test_an_empty_question_is_refused(self, app: RagApp, question: str) -> None:
        with pytest.raises(BadQuestion, match="empty"):
            app.ask(question)

    def test_an_enormous_question_is_refused_with_both_numbers(self, app: RagApp) -> None:
        with pytest.raises(QuestionTooLong, match=r"\d+ tokens.* \d+"):
            app.ask("warranty of Corvus pumps " * 20_000)

    def test_something_else_than_text_is_refused(self, app: RagApp) -> None:
        with pytest.raises(BadQuestion, match="int"):
            app.ask(5)  # type: ignore[arg-type]


class TestSearch:
    def test_passages_come_best_first_with_every_stages_rank(self, app: RagApp) -> None:
        found = app.search("warranty on Corvus pumps", limit=5)
        assert found[0].source.endswith("warranty_terms.txt")
        assert all(isinstance(passage, Passage) for passage in found)
        assert len(found) <= 5
        assert {"dense", "bm25", "fused"} <= set(found[0].scores)
        assert all(extracted_text(app, p.document_id)[p.start : p.end] == p.text for p in found)

    def test_the_retriever_speaks_langchain(self, app: RagApp) -> None:
        documents = app.retriever(limit=3).invoke("hotel limit in London")
        assert 0 < len(documents) <= 3
        assert {"source", "page", "heading", "score", "ranks"} <= set(documents[0].metadata)

    def test_nobody_finds_what_their_groups_may_not_see(self, fresh: RagApp, tmp_path: Path) -> None:
        (tmp_path / "docs").mkdir()
        (tmp_path / "docs" / "secret.md").write_text("# Salaries\n\nThe chief executive earns 400,000 EUR a year.")
        fresh.ingest(tmp_path / "docs", groups=["board"])
        question = "What does the chief executive earn?"
        assert fresh.search(question, principal=Principal("member", frozenset({"board"})))
        assert fresh.search(question, principal=Principal("clerk", frozenset({"office"}))) == ()
        assert fresh.search(question) == ()
        outside = fresh.ask(question)
        assert (outside.status, outside.nearest, outside.passages) == ("not_found", (), ())

    def test_a_change_of_groups_holds_at_once(self, fresh: RagApp, tmp_path: Path) -> None:
        (tmp_path / "memo.md").write_text("# Memo\n\nThe depot in Hull closes in May.")
        fresh.ingest(tmp_path / "memo.md")
        (found,) = fresh.search("When does the depot close?")
        # the catalog alone: the index still carries the old groups, and must not matter
        fresh.catalog.access.change({found.document_id: frozenset({"board"})})
        assert fresh.search("When does the depot close?") == ()


def test_inherited_tracing_variables_are_switched_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from langsmith.utils import tracing_is_enabled

    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    monkeypatch.setenv("LANGCHAIN_TRACING_V2", "true")
    RagApp(data=tmp_path).close()
    assert not tracing_is_enabled()


def test_a_gpu_that_can_not_be_used_is_said_before_a_model_is_downloaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(RagApp, "_folder", lambda *_: pytest.fail("downloaded"))
    embedder = {"model": "somebody/large-embedder", "device": "cuda"}
    with RagApp(data=tmp_path, offline=False, embedder=embedder) as app, pytest.raises(ModelError, match="is cuda"):
        app.embedder  # noqa: B018 building it is what is asked for


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    app = RagApp(data=tmp_path)
    assert app.status().documents == 0
    app.close()
    app.close()


def test_an_event_loop_does_not_wait_while_the_parts_are_built(tmp_path: Path) -> None:
    class Slow(RagApp):
        def _build_stages(self) -> Stages:
            time.sleep(0.5)
            raise ModelError("no model here")

    async def beats_while_asking(app: RagApp) -> int:
        asked = asyncio.create_task(app.aask(QUESTION))
        beats = 0
        while not asked.done():
            await asyncio.sleep(0.05)
            beats += 1
        with pytest.raises(ModelError):
            await asked
        return beats

    with Slow(Settings(data=tmp_path)) as app:
        assert asyncio.run(beats_while_asking(app)) >= 5


def test_what_is_built_is_had_at_once_while_another_part_is_being_built(tmp_path: Path) -> None:
    begun, free = threading.Event(), threading.Event()

    class Loading(RagApp):
        def _build_embedder(self) -> DenseEmbedder:
            begun.set()
            assert free.wait(60)
            raise ModelError("no model here")

    with Loading(Settings(data=tmp_path)) as app, ThreadPoolExecutor(2) as threads:
        catalog = app.catalog
        loading = threads.submit(lambda: app.embedder)
        try:
            assert begun.wait(60)
            assert threads.submit(lambda: app.catalog).result(timeout=30) is catalog
            assert not loading.done()
        finally:
            free.set()
        with pytest.raises(ModelError):
            loading.result()


def test_what_is_being_closed_is_handed_out_to_nobody(tmp_path: Path) -> None:
    had: list[Catalog] = []

    class Last(LoopThread):
        def close(self) -> None:
            had.append(app.catalog)
            super().close()

    with RagApp(Settings(data=tmp_path)) as app:
        catalog = app.catalog
        app._parts["loop"] = Last("last")
        app.close()
        assert had and had[0] is not catalog, "the catalog is closed after the loop"


@pytest.mark.parametrize("query", ["warranty on pumps", "annual leave", "travel costs", "notice period", "price list"])
def test_whoever_asks_for_so_many_passages_gets_them_although_neighbours_are_joined(app: RagApp, query: str) -> None:
    found = app.search(query, limit=7)
    assert len(found) == 7
    assert len({(passage.document_id, passage.start) for passage in found}) == 7
