"""Suggested questions come from documents that one may see at this moment, and hold nothing active."""

from __future__ import annotations

import io
import json
from pathlib import Path

import httpx

from ingest.origins.uploads import stage
from ragapp.types import document_id

from .conftest import Service


def suggested(client: httpx.Client, limit: int = 20) -> list[dict[str, str]]:
    response = client.get("/v1/suggestions", params={"limit": limit})
    assert response.status_code == 200, response.text
    return list(response.json())


def test_only_from_documents_that_one_may_see(office: Service) -> None:
    with office.client(office.token("ada")) as ada, office.client(office.token("bob")) as bob:
        assert {each["title"] for each in suggested(ada)} == {"Travel", "Opening hours", "Merger"}
        assert "merger" not in json.dumps(suggested(bob)).lower()
        person = office.house.catalog.people.find(name="ada")
        assert person
        office.house.catalog.people.set_groups(person.id, [])
        assert "merger" not in json.dumps(suggested(ada)).lower()


def test_headings_become_questions_and_markup_becomes_text(office: Service, tmp_path: Path) -> None:
    (tmp_path / "leave.md").write_text(
        "# Leave\n\n## Who grants special leave?\n\nThe head of the group.\n\n"
        "## <img src=x onerror=alert(1)> ![x](https://evil.example/x)\n\nText of a hostile heading.\n"
    )
    office.house.rag.ingest(tmp_path / "leave.md")
    with office.client(office.token("bob")) as bob:
        told = json.dumps(suggested(bob))
    assert "<img" not in told and "](" not in told and "https://" not in told
    assert "leave" in told.lower()


def test_files_of_conversations_are_not_suggested(office: Service) -> None:
    house = office.house
    (upload,) = stage(house.data / "uploads", [("private.md", io.BytesIO(b"# Private matters\n\nSome text.\n"))])
    house.rag.intake.do(house.rag.intake.note_uploads([upload], "conversation/1", frozenset({"everyone"}), once=True))
    assert house.catalog.document(document_id("conversation/1", "private.md"))
    with office.client(office.token("bob")) as bob:
        assert "Private" not in json.dumps(suggested(bob))


def test_no_more_than_asked_for_and_the_same_for_a_day(office: Service) -> None:
    with office.client(office.token("ada")) as ada:
        assert len(suggested(ada, 1)) == 1
        assert suggested(ada) == suggested(ada)
        assert ada.get("/v1/suggestions", params={"limit": 0}).status_code == 422
