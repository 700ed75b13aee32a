"""The firm's service with its page, and a browser that writes down whatever it wanted from elsewhere."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from benchmarks.chromium import NONE, chromium
from ragapp import RagApp, Settings
from ragapp.answer.events import Event
from ragapp.engine.vllm import VllmEngine
from ragapp.network import attempts

from ..ragapp.serve.conftest import PASSWORD, Service, firm, furnished, move_in, office, running, wait_until

__all__ = ["PASSWORD", "firm", "furnished", "office"]
_REFUSE = """
import sys

if "ui" in sys.orig_argv:
    from pathlib import Path

    from ragapp.network import refuse_outgoing

    refuse_outgoing(Path({report!r}))
"""
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


def browser_program() -> str:
    """The system's Chromium; where there is none the tests of the page are left out, and say so."""
    return chromium() or pytest.skip(NONE)


@pytest.fixture(scope="session")
def outgoing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the page's process writes down what it wanted from other machines, which it is refused."""
    folder = tmp_path_factory.mktemp("refuse")
    report = folder / "report"
    (folder / "sitecustomize.py").write_text(_REFUSE.format(report=str(report)))
    # other tests of this process start programs too: what is set here must mean nothing to them
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        for program in ("another", "ui"):
            assert not attempts(report)
            wants = "import socket; socket.getaddrinfo('page.invalid', 443)"
            subprocess.run([sys.executable, "-P", "-c", wants, program], capture_output=True, check=False)
        assert len(attempts(report)) == 1, "what the page wanted would not be written down"
        report.unlink()
        yield report


@pytest.fixture(scope="session")
def lit(
    tmp_path_factory: pytest.TempPathFactory, models_dir: Path, engine: VllmEngine, firm: Path, outgoing: Path
) -> Iterator[Service]:
    """The firm's service with its page, which answers; for the whole session."""
    browser_program()
    with RagApp(Settings(data=tmp_path_factory.mktemp("lit")), models_dir=models_dir, engine=engine) as rag:
        move_in(rag, firm)
        with running(rag, page=True) as service:
            wait_until(lambda: service.house.engine.is_ready and page_answers(service))
            yield service
    assert not attempts(outgoing), "the page's process wanted something from another machine"


@pytest.fixture
def slow(lit: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers take their time between two events, so that one can do something in the middle of them."""
    rag = lit.house.rag
    swift = rag.astream

    async def slowly(*given: Any, **more: Any) -> AsyncIterator[Event]:
        async with aclosing(swift(*given, **more)) as events:
            async for event in events:
                yield event
                await asyncio.sleep(1.5)

    monkeypatch.setattr(rag, "astream", slowly)


def page_answers(service: Service) -> bool:
    """Whether the page's process is up."""
    with service.signed_in("root") as client:
        return client.get("/app/_stcore/health").status_code == 200


# for one file: as long as it is there this thread has a running loop, in which no async test could run
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = browser_program()
    with sync_playwright() as playwright:
        # root may not use the sandbox in a container; the resolver knows no other host
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
        )
        yield browser
        browser.close()


@dataclass
class Visitor:
    """Somebody at the page, and what their browser did."""

    page: Page
    url: str
    foreign: list[str] = field(default_factory=list)
    """Addresses on other hosts that the browser asked for."""
    faults: list[str] = field(default_factory=list)
    """Errors of the page's scripts, and dialogs that they opened."""

    def sign_in(self, name: str) -> Visitor:
        self.page.goto(f"{self.url}/app/")
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        self.box.wait_for()
        return self

    @property
    def box(self):  # type: ignore[no-untyped-def]
        """Where one writes questions."""
        return self.page.get_by_test_id("stChatInputTextArea")

    def ask(self, question: str, *, wait: bool = True) -> None:
        self.settled()
        known = {each.get_attribute("data-answer") for each in self.page.locator(".answer").all()}
        self.box.fill(question)
        self.box.press("Enter")
        self.page.locator(".answer" + "".join(f':not([data-answer="{each}"])' for each in known)).last.wait_for()
        for each in known:
            # while Streamlit draws anew, what was there may stand there twice
            expect(self.page.locator(f'.answer[data-answer="{each}"]')).to_have_count(1)
        if wait:
            self.answered()

    def settled(self) -> None:
        """Wait until Streamlit is connected and has drawn everything."""
        self.page.locator('[data-test-connection-state="CONNECTED"][data-test-script-state="notRunning"]').wait_for(
            timeout=60_000
        )

    def answered(self) -> None:
        """Wait for the end of the last answer."""
        self.page.locator(".answer").last.get_by_role("button", name="Answer this question again").wait_for(
            timeout=240_000
        )

    @property
    def answer_id(self) -> str:
        """Of the last answer that is shown."""
        return self.page.locator(".answer").last.get_attribute("data-answer") or ""

    def another_than(self, answer_id: str) -> None:
        """Wait until another answer stands where this one was, and is complete."""
        self.page.locator(f'.answer:not([data-answer="{answer_id}"])').last.wait_for()
        self.page.locator(f'.answer[data-answer="{answer_id}"]').wait_for(state="detached")
        self.answered()

    @property
    def words(self) -> str:
        """All that the last answer shows."""
        return self.page.locator(".answer").last.inner_text()

    def go(self, title: str) -> None:
        """To another page by the navigation."""
        self.page.get_by_test_id("stTopNavLinkContainer").get_by_text(title, exact=True).click()
        self.page.get_by_role("heading", name=title, exact=True).wait_for()
        self.settled()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """A new browser of somebody's own, as often as it is called."""
    opened: list[tuple[BrowserContext, Visitor]] = []

    def visiting(service: Service, name: str | None = None, **options: object) -> Visitor:
        context = browser.new_context(**({"viewport": WIDE} | options))  # type: ignore[arg-type]
        context.set_default_timeout(30_000)
        page = context.new_page()
        visitor = Visitor(page, service.url)
        opened.append((context, visitor))
        host = urlsplit(service.url).netloc

        def requested(url: str) -> None:
            parts = urlsplit(url)
            if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != host:
                visitor.foreign.append(url)

        page.on("request", lambda request: requested(request.url))
        page.on("websocket", lambda socket: requested(socket.url))
        page.on("pageerror", lambda error: visitor.faults.append(str(error)))
        page.on("dialog", lambda dialog: (visitor.faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        return visitor.sign_in(name) if name else visitor

    yield visiting
    for context, visitor in opened:
        context.close()
        assert not visitor.foreign, "the browser wanted something from another host"
        assert not visitor.faults
