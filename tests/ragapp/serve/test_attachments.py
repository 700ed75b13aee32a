"""A file attached to a conversation: its owner's alone, in that conversation alone, and gone in the end."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from ingest.origins.uploads import stage
from ingest.pipeline import write
from ragapp.embed.dense import DenseEmbedder
from ragapp.serve.asking import conversation_group
from ragapp.serve.forgetting import sweep
from ragapp.types import document_id

from .conftest import Service, wait_until

TEXT = b"# Quote\n\nThe crane costs 44000 euro a month."


@pytest.fixture
def conversation(office: Service) -> str:
    person = office.house.catalog.people.find(name="bob")
    assert person
    return office.house.catalog.conversations.start(person.id, "Cranes", ()).id


def attach(client: httpx.Client, conversation: str, name: str = "crane.md", content: bytes = TEXT) -> dict[str, Any]:
    path = f"/v1/conversations/{conversation}/files"
    answer = client.post(path, files={"file": (name, content)})
    assert answer.status_code == 202, answer.text
    wait_until(lambda: all(file["state"] for file in client.get(path).json()))
    return next(file for file in client.get(path).json() if file["name"] == name)


def test_it_is_found_in_its_conversation_and_nowhere_else(office: Service, conversation: str) -> None:
    with office.signed_in("bob") as bob, office.signed_in("ada") as ada, office.signed_in("root") as root:
        held = attach(bob, conversation)
        assert held["state"] == "live"
        inside = bob.get("/v1/search", params={"query": "crane costs", "conversation_id": conversation}).json()
        assert "44000" in inside["passages"][0]["text"]
        outside = bob.get("/v1/search", params={"query": "crane costs"}).json()
        assert "44000" not in str(outside)
        assert "44000" in bob.get(f"/v1/documents/{held['document_id']}/text").json()["text"]
        for other in (ada, root):
            assert other.get(f"/v1/conversations/{conversation}/files").status_code == 404
            assert other.get(f"/v1/documents/{held['document_id']}").status_code == 404
            assert other.get(f"/v1/documents/{held['document_id']}/original").status_code == 404
            assert other.get("/v1/documents", params={"find": "crane"}).json()["total"] == 0
            assert not any("crane" in str(job) for job in other.get("/v1/jobs").json())
        assert all(not row["name"].startswith("conversation/") for row in root.get("/v1/collections").json())
        assert bob.get("/v1/documents", params={"find": "crane"}).json()["total"] == 0, "lists are of the house's"


def test_it_comes_before_an_ingestion_that_goes_on_behind_it(
    office: Service, conversation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = tmp_path / "share"
    share.mkdir()
    for number in range(12):
        (share / f"{number:02}.md").write_text(f"# Shift {number}\n\nShift {number} begins at {number} o'clock.\n")
    embedded, attached = threading.Event(), threading.Event()
    embed = DenseEmbedder.encode

    def slowly(self: DenseEmbedder, texts: Sequence[str]) -> Any:
        if not attached.is_set() and any("Shift" in text for text in texts):
            embedded.set()
            assert attached.wait(60)
        return embed(self, texts)

    monkeypatch.setattr(DenseEmbedder, "encode", slowly)
    monkeypatch.setattr(write, "WINDOW", 3)
    with office.signed_in("root") as root, office.signed_in("bob") as bob:
        job = root.post("/v1/jobs", json={"paths": [str(share)], "groups": ["everyone"]}).json()["id"]
        assert embedded.wait(60)
        path = f"/v1/conversations/{conversation}/files"
        assert bob.post(path, files={"file": ("crane.md", TEXT)}).status_code == 202
        attached.set()
        wait_until(lambda: bob.get(path).json()[0]["state"] == "live")
        states = {row["id"]: row["state"] for row in root.get("/v1/jobs").json()}
        wait_until(lambda: root.get(f"/v1/jobs/{job}").json()["state"] == "finished")
        assert states[job] in ("waiting", "running"), "it was put back, and not lost"
        assert root.get("/v1/documents", params={"find": "share"}).json()["total"] == 12


def test_it_goes_when_it_is_taken_off(office: Service, conversation: str) -> None:
    with office.signed_in("bob") as bob:
        held = attach(bob, conversation)
        path = f"/v1/conversations/{conversation}/files"
        assert bob.delete(f"{path}/{held['document_id']}").status_code == 204
        assert bob.get(path).json() == []
        assert office.house.catalog.document(held["document_id"]) is None
        assert bob.delete(f"{path}/{held['document_id']}").status_code == 404


def test_one_that_is_taken_off_while_it_is_read_goes_as_soon_as_it_is_in(
    office: Service, conversation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedding, free = threading.Event(), threading.Event()
    embed = DenseEmbedder.encode

    def slowly(self: DenseEmbedder, texts: Sequence[str]) -> Any:
        embedding.set()
        assert free.wait(60)
        return embed(self, texts)

    monkeypatch.setattr(DenseEmbedder, "encode", slowly)
    catalog = office.house.catalog
    path = f"/v1/conversations/{conversation}/files"
    with office.signed_in("bob") as bob:
        (held,) = bob.post(path, files={"file": ("crane.md", TEXT)}).json()
        assert embedding.wait(60)
        assert bob.delete(f"{path}/{held['document_id']}").status_code == 204
        (job,) = catalog.jobs.list(1)
        free.set()
        wait_until(lambda: (row := catalog.jobs.job(job.id)) is not None and row.state == "finished")
        wait_until(lambda: catalog.document(held["document_id"]) is None)
        found = bob.get("/v1/search", params={"query": "crane costs", "conversation_id": conversation})
        assert "44000" not in found.text


def test_one_that_comes_in_while_it_is_taken_off_goes_too(
    office: Service, conversation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, group = office.house, conversation_group(conversation)
    conversations, key = house.catalog.conversations, document_id(group, "crane.md")
    conversations.attach(conversation, key, "crane.md", datetime.now(UTC) + timedelta(hours=1))
    detach = conversations.detach

    def late(document_ids: Iterable[str]) -> None:
        uploads = stage(house.data / "uploads", [("crane.md", io.BytesIO(TEXT))])
        house.rag.intake.do(house.rag.intake.note_uploads(uploads, group, frozenset({group}), once=True))
        assert house.catalog.document(key)
        detach(document_ids)

    monkeypatch.setattr(conversations, "detach", late)
    with office.signed_in("bob") as bob:
        assert bob.delete(f"/v1/conversations/{conversation}/files/{key}").status_code == 204
    assert house.catalog.document(key) is None


def test_it_goes_with_its_time_and_with_its_conversation(office: Service, conversation: str) -> None:
    with office.signed_in("bob") as bob:
        held = attach(bob, conversation)
        hours = office.house.settings.serve.attachment_hours
        assert sweep(office.house.rag, datetime.now(UTC) + timedelta(hours=hours - 1)).files == 0
        bob.delete(f"/v1/conversations/{conversation}")
        assert bob.get(f"/v1/documents/{held['document_id']}").status_code == 404
        assert sweep(office.house.rag).files == 1
        assert office.house.catalog.document(held["document_id"]) is None


def test_one_that_came_in_after_its_conversation_went_is_swept(office: Service, conversation: str) -> None:
    with office.signed_in("bob") as bob:
        held = attach(bob, conversation)
        office.house.catalog.conversations.detach([held["document_id"]])
        assert sweep(office.house.rag).files == 1
        assert office.house.catalog.document(held["document_id"]) is None


@pytest.fixture
def broken_off(office: Service, conversation: str) -> str:
    """The id of a document in an archive that was attached beside another file, and never came in itself."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("crane.md", TEXT)
    with office.signed_in("bob") as bob:
        attach(bob, conversation, "memo.md", b"# Memo")
        held = attach(bob, conversation, "quotes.zip", packed.getvalue())
    (member,) = office.house.catalog.documents(container=held["document_id"])
    office.house.catalog.removals.take_away([held["document_id"]])
    assert sweep(office.house.rag).files == 0, "it may be on its way"
    return member.id


def test_what_lies_in_an_archive_that_never_came_in_itself_goes_with_it(
    office: Service, conversation: str, broken_off: str
) -> None:
    archive = document_id(conversation_group(conversation), "quotes.zip")
    with office.signed_in("bob") as bob:
        assert bob.delete(f"/v1/conversations/{conversation}/files/{archive}").status_code == 204
    assert office.house.catalog.document(broken_off) is None
    assert sweep(office.house.rag).files == 0, "the other file stays"


def test_and_with_its_conversation(office: Service, conversation: str, broken_off: str) -> None:
    with office.signed_in("bob") as bob:
        bob.delete(f"/v1/conversations/{conversation}")
    assert sweep(office.house.rag).files == 2
    assert office.house.catalog.document(broken_off) is None


def test_a_conversation_takes_so_many_and_no_more(
    office: Service, conversation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ragapp.serve.routes.attachments._MOST", 1)
    with office.signed_in("bob") as bob:
        attach(bob, conversation)
        again = attach(bob, conversation, content=TEXT + b" And 5 euro a day.")
        assert again["state"] == "live"
        refused = bob.post(f"/v1/conversations/{conversation}/files", files={"file": ("b.md", b"# B")})
        assert refused.status_code == 409


def test_what_can_not_be_read_says_why(office: Service, conversation: str) -> None:
    with office.signed_in("bob") as bob:
        held = attach(bob, conversation, "broken.pdf", b"%PDF-1.4")
        assert held["state"] == "failed" and "damaged" in held["reason"]


def test_nothing_is_kept_of_one_that_can_not_be_read(office: Service, conversation: str) -> None:
    content = b"%PDF-1.4 of a conversation"

    def kept() -> list[Path]:
        files = (path for path in (office.house.data / "uploads").rglob("*") if path.is_file())
        return [path for path in files if path.read_bytes() == content]

    with office.signed_in("bob") as bob:
        assert attach(bob, conversation, "broken.pdf", content)["state"] == "failed"
    wait_until(lambda: not kept())
