"""What the page drew is not what there is any more: a click means what one saw, and shows no choice of somebody's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from ui.client import Client, open_http
from ui.pages import ask

from ..ragapp.serve.conftest import Service
from .test_client import cookie_of


@pytest.fixture
def ada(office: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """The service as the page calls it for her."""
    with open_http(office.url) as http:
        made = Client(http, cookie_of(office, "ada"))
        monkeypatch.setattr(ask, "client", lambda: made)
        yield made


def where_questions_look(conversation_id: str) -> None:
    from ui.pages import ask

    service = ask.client()
    ask._collections(service, service.get(f"/v1/conversations/{conversation_id}"))


def what_one_could_ask() -> None:
    from ui.pages import ask

    ask._beginning(ask.client())


def test_an_older_tab_takes_no_choice_of_another_back(ada: Client) -> None:
    talk = ada.post("/v1/conversations", {"title": "x"})["id"]

    def chosen() -> Any:
        return ada.get(f"/v1/conversations/{talk}")["collections"]

    older, newer = (AppTest.from_function(where_questions_look, args=(talk,), default_timeout=60) for _ in range(2))
    older.run()
    newer.run().multiselect[0].select("board").run()
    assert chosen() == ["board"]
    older.run()
    assert (chosen(), older.multiselect[0].value) == (["board"], ["board"])
    older.multiselect[0].select("default").run()
    assert (chosen(), older.multiselect[0].value) == (["board", "default"], ["board", "default"])
    assert not older.exception and not newer.exception


def test_a_suggestion_that_is_clicked_is_asked_or_nothing_is(
    office: Service, ada: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(ask, "_ask", lambda _, question, *__: asked.append(question))
    page = AppTest.from_function(what_one_could_ask, default_timeout=60).run()
    first, *others = ada.get("/v1/suggestions", limit=4)
    assert len(page.button) == 1 + len(others) > 1
    seen, rag = page.button[0], office.house.rag
    rag.remove(rag.plan_removal(first["document_id"]))
    seen.click().run()
    assert set(asked) <= {first["question"]}
    assert not page.exception
