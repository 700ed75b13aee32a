"""What the page shows of others' words: nothing in it is unseen, in the browser as in the service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from playwright.sync_api import Page, sync_playwright

from ragapp.answer.unseen import seen
from ui.parts import table as tables
from ui.parts.plain import plain
from ui.parts.unseen import seen as seen_in_the_page

from ..ragapp.answer.test_unseen import INVISIBLE, LETTERS, TAGS
from .conftest import browser_program

WEB = Path(tables.__file__).with_name("web")
SAID = [
    f"Leave{TAGS}", "invoice\u202efdp.exe", "نمی\u200cخواهم", "👩\u200d❤\ufe0f\u200d👨", "a\r\nb\u2028c",
    "x\u200by\u3164",
    "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f!", "葛\U000e0100\U000e0101", "שלום 30",
]  # fmt: skip


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with sync_playwright() as playing:
        browser = playing.chromium.launch(executable_path=browser_program(), args=["--no-sandbox"])
        page = browser.new_page()
        scripts = "\n".join((WEB / name).read_text(encoding="utf-8") for name in ("unseen.js", "dom.js"))
        page.add_script_tag(content=f"{scripts}\nwindow.seen = seen; window.el = el;")
        yield page
        browser.close()


def test_the_browser_does_as_the_service_does(page: Page) -> None:
    assert page.evaluate("(texts) => texts.map(seen)", SAID) == [seen(text) for text in SAID]

    @settings(max_examples=150, deadline=None)
    @given(LETTERS)
    def alike(text: str) -> None:
        sent = text.encode("utf-8", "replace").decode()
        assert page.evaluate("seen", sent) == seen(sent)

    alike()


def test_every_element_of_the_page_is_made_of_it(page: Page) -> None:
    made: dict[str, Any] = page.evaluate(
        "(text) => { const made = el('p', { title: text }, text, el('b', {}, text));"
        " return { title: made.title, text: made.textContent }; }",
        SAID[0] + SAID[1],
    )
    assert not INVISIBLE.search(made["title"] + made["text"]) and made["text"].count("‹U+202E›") == 2


@given(LETTERS)
def test_what_streamlit_shows(text: str) -> None:
    for shown in (seen_in_the_page(text), plain(text)):
        assert not INVISIBLE.search(shown), ascii(shown)
        assert seen_in_the_page(shown) == shown


def test_the_cells_of_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[pd.DataFrame] = []
    monkeypatch.setattr(tables.st, "dataframe", lambda frame, **_: drawn.append(frame))
    at = pd.to_datetime(pd.Series(["2026-01-02", None]), utc=True)
    tables.table(pd.DataFrame({"Name": ["a\u202eb", None], "Bytes": [1, 2], "At": at}))
    (frame,) = drawn
    assert list(frame["Name"]) == ["a‹U+202E›b", None] and list(frame["Bytes"]) == [1, 2]
    assert isinstance(frame["At"].dtype, pd.DatetimeTZDtype)
