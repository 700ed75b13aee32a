"""Conversations, feedback, usage and audit: each person's their own, the whole for admins, none of it active."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from markdown_it import MarkdownIt

from ragapp.serve.export import plain

from .conftest import Service

HOSTILE = (
    "<img src=https://evil.example/x onerror=alert(1)> ![x](https://evil.example/y) [click](javascript:alert(1)) "
    "www.evil.example"
)


def person(office: Service, name: str) -> str:
    found = office.house.catalog.people.find(name=name)
    assert found
    return found.id


def answered(office: Service, name: str, question: str, document: str = "", text: str = "It is so.") -> tuple[str, str]:
    """An answer as the service keeps it, resting on this document; returns its id and its conversation's."""
    conversations, owner = office.house.catalog.conversations, person(office, name)
    conversation = conversations.start(owner, question)
    row = conversations.ask(f"answer-{question[:8]}-{name}".replace(" ", "-"), owner, conversation.id, "api", question)
    cited = {
        "marker": 1, "document_id": document, "revision": 1, "source": "a.md", "title": HOSTILE, "heading": "",
        "page": None, "quote": text, "start": 0, "end": len(text), "score": 1.0,
    }  # fmt: skip
    fields: dict[str, Any] = {
        "answer": f"{text} [1]", "sentences": [{"text": text, "markers": [1], "supported": True}],
        "citations": [cited] if document else [], "passages": [], "nearest": [], "model": "m",
        "timings": {"waited_s": 0, "retrieve_s": 0, "first_token_s": None, "total_s": 0},
        "usage": {"prompt_tokens": 1, "cached_tokens": 0, "completion_tokens": 1},
    }  # fmt: skip
    turn = {"question": question, "answer": text, "prompt": "", "passages": []}
    record = {"fields": fields, "prompted": [document] if document else [], "nearest_ids": [], "turn": turn}
    conversations.settle(row.id, "answered", "", record)
    return row.id, conversation.id


def board_document(office: Service) -> str:
    (row,) = office.house.catalog.documents(collection="board")
    return row.id


def test_list_find_rename_and_delete(office: Service) -> None:
    with office.signed_in("bob") as bob:
        _, first = answered(office, "bob", "When does the office open?")
        _, second = answered(office, "bob", "How are trains booked?")
        assert [row["id"] for row in bob.get("/v1/conversations").json()] == [second, first]
        assert [row["id"] for row in bob.get("/v1/conversations", params={"like": "TRAINS"}).json()] == [second]
        assert bob.patch(f"/v1/conversations/{first}", json={"title": "Hours"}).json()["title"] == "Hours"
        whole = bob.get(f"/v1/conversations/{first}").json()
        assert [answer["question"] for answer in whole["answers"]] == ["When does the office open?"]
        assert bob.delete(f"/v1/conversations/{first}").status_code == 204
        assert bob.get(f"/v1/conversations/{first}").status_code == 404


def test_nobody_elses_are_there(office: Service) -> None:
    _, name = answered(office, "ada", "What does the board plan?")
    with office.signed_in("root") as root:
        for method, path in (("GET", ""), ("GET", "/export"), ("DELETE", ""), ("PATCH", "")):
            body = {"json": {"title": "x"}} if method == "PATCH" else {}
            assert root.request(method, f"/v1/conversations/{name}{path}", **body).status_code == 404
        assert root.get("/v1/conversations").json() == []


def test_an_export_is_text_and_nothing_else(office: Service) -> None:
    document = office.house.catalog.documents(collection="default")[0].id
    _, name = answered(office, "bob", HOSTILE, document, HOSTILE)
    with office.signed_in("bob") as bob:
        exported = bob.get(f"/v1/conversations/{name}/export")
    assert exported.headers["content-type"].startswith("text/markdown")
    page = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable("link").render(exported.text)
    assert "<img" not in page and "<a " not in page and "onerror" in page
    assert "](" not in exported.text.replace("\\]\\(", "")


@pytest.mark.parametrize(
    "text", [HOSTILE, "# x", "1. y", "- z", "a\nb\n===", "&lt;b&gt;", "`c`", "<https://d.example>", "| a | b |"]
)
def test_plain_text_stays_plain(text: str) -> None:
    page = MarkdownIt("gfm-like", {"linkify": False}).render(plain(text))
    assert page.startswith("<p>") and page.count("<") == 2


def test_an_export_leaves_out_what_one_may_not_see_any_more(office: Service) -> None:
    _, name = answered(office, "ada", "What does the foundry cost?", board_document(office), "31 million euro.")
    with office.signed_in("ada") as ada:
        assert "31 million" in ada.get(f"/v1/conversations/{name}/export").text
        office.house.catalog.people.set_groups(person(office, "ada"), [])
        assert "31 million" not in ada.get(f"/v1/conversations/{name}/export").text
        assert "31 million" not in ada.get(f"/v1/conversations/{name}").text


def test_feedback_on_ones_own_answers_and_read_by_admins_within_their_groups(office: Service) -> None:
    answer, _ = answered(office, "ada", "What does the foundry cost?", board_document(office), "31 million euro.")
    given = {"answer_id": answer, "good": False, "reason": "too dear"}
    with office.signed_in("bob") as bob:
        assert bob.put("/v1/feedback", json=given).status_code == 404
        assert bob.get("/v1/feedback").status_code == 403
    with office.signed_in("ada") as ada:
        assert ada.put("/v1/feedback", json=given).status_code == 204
        assert ada.get(f"/v1/answers/{answer}").json()["feedback"] == "bad"
    with office.signed_in("root") as root:
        (shown,) = root.get("/v1/feedback", params={"good": False}).json()
        assert (shown["reason"], shown["withheld"]) == ("too dear", True)
        assert "31 million" not in json.dumps(shown)


def test_usage_is_ones_own_unless_one_is_an_admin(office: Service) -> None:
    from datetime import UTC, datetime

    from ragapp.catalog.service_rows import UsageRow

    for name, seconds in (("ada", 1.0), ("bob", 3.0), ("bob", 5.0)):
        office.house.catalog.usage.note(
            UsageRow(
                datetime.now(UTC),
                person(office, name),
                "api",
                frozenset(),
                "m",
                "answered",
                10,
                4,
                5,
                0.0,
                0.5,
                seconds,
            )
        )
    with office.signed_in("bob") as bob, office.signed_in("root") as root:
        own = bob.get("/v1/usage").json()
        assert (own["total"]["questions"], own["total"]["prompt_tokens"]) == (2, 20)
        whole = root.get("/v1/usage", params={"by": "person"}).json()
        assert whole["total"]["questions"] == 3
        assert {of["key"]: of["questions"] for of in whole["by"]} == {
            person(office, "ada"): 1,
            person(office, "bob"): 2,
        }


def test_the_audit_says_who_did_what_and_never_changes(office: Service) -> None:
    with office.signed_in("bob") as bob, office.signed_in("root") as root:
        bob.get("/v1/search", params={"query": "secret words of bob"})
        (entry, *_) = root.get("/v1/audit", params={"action": "search.run"}).json()
        assert entry["person"] == "bob" and entry["request_id"]
        exported = root.get("/v1/audit/export").text
        assert "secret words" not in exported
        actions = [json.loads(line)["action"] for line in exported.splitlines()]
        assert actions.count("session.open") == 2 and actions[-1] == "audit.export"
        rows = list(csv.DictReader(io.StringIO(root.get("/v1/audit/export", params={"format": "csv"}).text)))
        assert [row["action"] for row in rows][: len(actions)] == actions
    with pytest.raises(Exception, match="only grows"), office.house.catalog._sessions.writing() as session:
        from ragapp.catalog.service_tables import AuditTable

        session.query(AuditTable).update({"person_id": "x"})
    with pytest.raises(Exception, match="only grows"), office.house.catalog._sessions.writing() as session:
        session.query(AuditTable).delete()
