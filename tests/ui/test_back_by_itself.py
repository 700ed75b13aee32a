"""The page's process killed, the service restarted, the engine killed: one sentence, and it goes on by itself."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Page, Route, expect

from ragapp import RagApp, Settings
from ragapp.answer.events import Event, PassagesFound
from ragapp.catalog.conversations import Conversations
from ragapp.engine.vllm import VllmEngine
from ragapp.serve.answers import INTERRUPTED

from ..ragapp.serve.conftest import Service, move_in, running, wait_until
from .conftest import Visitor, page_answers

Visit = Callable[..., Visitor]


def test_the_pages_process_killed_in_the_middle_of_an_answer(lit: Service, visit: Visit, slow: None) -> None:
    root = visit(lit, "root")
    root.ask("Which class are trains booked in?", wait=False)
    asked = root.answer_id
    care = lit.house.page_care
    assert care and care.process
    os.kill(care.process.pid, signal.SIGKILL)
    # the answer needs no page to be written, and its part reads on without Streamlit
    root.answered()
    assert root.answer_id == asked
    assert "second class" in root.words
    wait_until(lambda: page_answers(lit))
    root.ask("Which class are trains booked in?")
    assert root.answer_id != asked
    assert "second class" in root.words


def test_while_the_page_starts_one_sentence_stands_in_its_place(lit: Service, visit: Visit) -> None:
    root = visit(lit, "root")
    care = lit.house.page_care
    assert care and care.process
    os.kill(care.process.pid, signal.SIGKILL)
    root.page.goto(f"{lit.url}/app/")
    expect(root.page.get_by_text("The page is being started.")).to_be_visible()
    root.box.wait_for(timeout=60_000)


@pytest.fixture
def own_firm(tmp_path: Path, models_dir: Path, engine: VllmEngine, firm: Path) -> Iterator[Callable[[], RagApp]]:
    """Opens the firm's data, again and again."""
    with RagApp(Settings(data=tmp_path / "data"), models_dir=models_dir, engine=engine) as rag:
        move_in(rag, firm)
    yield lambda: RagApp(Settings(data=tmp_path / "data"), models_dir=models_dir, engine=engine)


def test_the_service_restarted_in_the_middle_of_a_conversation(
    own_firm: Callable[[], RagApp], visit: Visit, outgoing: Path
) -> None:
    with own_firm() as rag, running(rag, page=True) as first:
        wait_until(lambda: first.house.engine.is_ready and page_answers(first))
        root = visit(first, "root")
        root.ask("Which class are trains booked in?")
        port = int(first.url.rpartition(":")[2])
    expect(root.page.get_by_text("Trains are booked in second class").first).to_be_visible()
    with own_firm() as rag, running(rag, page=True, port=port) as again:
        wait_until(lambda: again.house.engine.is_ready and page_answers(again))
        root.page.wait_for_timeout(1000)
        root.ask("And when are receipts handed in?")
        # which of two turns the tiny model speaks of is its own affair
        expect(root.page.locator(".answer").last.locator("button.marker").first).to_be_visible()
        assert root.page.locator(".answer").count() == 2


def test_the_service_killed_in_the_middle_of_an_answer(
    own_firm: Callable[[], RagApp], visit: Visit, outgoing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def found_and_no_more(*_: Any, **__: Any) -> AsyncIterator[Event]:
        yield PassagesFound(())
        await asyncio.sleep(3600)

    async def at_once(*_: Any) -> None:
        """Nobody is told why."""

    with monkeypatch.context() as killed, own_firm() as rag, running(rag, page=True) as first:
        wait_until(lambda: first.house.engine.is_ready and page_answers(first))
        root = visit(first, "root")
        killed.setattr(rag, "astream", found_and_no_more)
        with root.page.expect_response("**/events"):
            root.ask("Which class are trains booked in?", wait=False)
        asked, port = root.answer_id, int(first.url.rpartition(":")[2])
        wait_until(lambda: bool((live := first.house.answers.get(asked)) and live.events and live.readers))
        # as a kill does it
        killed.setattr(first.house.answers, "close", at_once)
        killed.setattr(Conversations, "settle", lambda *_: None)
    expect(root.page.get_by_text("The connection was lost")).to_be_visible()
    reads = reads_of(root.page, asked)
    with own_firm() as rag, running(rag, page=True, port=port) as again:
        expect(root.page.get_by_text(INTERRUPTED)).to_be_visible(timeout=60_000)
        wait_until(lambda: again.house.engine.is_ready and page_answers(again))
        root.answered()
        enough = len(reads)
        root.page.get_by_role("button", name="Answer this question again").click()
        root.another_than(asked)
        assert "second class" in root.words
        assert len(reads) == enough


def test_the_end_of_an_answer_is_heard_whatever_its_number(lit: Service, visit: Visit, slow: None) -> None:
    root = visit(lit, "root")
    told = [["id: 1", "event: passages", 'data: {"passages": []}'], ["id: 1", "event: error", f"data: {ENDED}"]]

    def tell(route: Route) -> None:
        route.fulfill(content_type="text/event-stream", body="\n".join(told.pop(0)) + "\n\n")

    root.page.route("**/events", tell)
    root.ask("Which class are trains booked in?", wait=False)
    expect(root.page.get_by_text("It broke off.")).to_be_visible()
    assert not told


ENDED = json.dumps({"state": "failed", "detail": "It broke off."})


def reads_of(page: Page, answer_id: str) -> list[str]:
    """The requests for an answer's events from now on."""
    found: list[str] = []
    page.on("request", lambda request: found.append(request.url) if f"{answer_id}/events" in request.url else None)
    return found


def test_the_engine_killed_in_the_middle_of_an_answer(lit: Service, visit: Visit, slow: None) -> None:
    root = visit(lit, "root")
    root.ask("Which class are trains booked in?", wait=False)
    root.page.get_by_text("Reading").wait_for()
    for engine in engines():
        engine.kill()
    root.answered()
    before = root.answer_id
    assert "engine" in root.words or "second class" in root.words
    wait_until(lambda: lit.house.engine.is_ready, seconds=180)
    root.page.get_by_role("button", name="Answer this question again").click()
    root.another_than(before)
    assert "second class" in root.words


def engines() -> list[psutil.Process]:
    """vLLM's processes below this one."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "lifeline" in " ".join(child.cmdline())]
