"""The page's process killed, the service restarted, the engine killed: one sentence, and it goes on by itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import expect

from ragapp import RagApp, Settings
from ragapp.engine.vllm import VllmEngine

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
