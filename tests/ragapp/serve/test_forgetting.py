"""What is deleted when its time is over, and what is not."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ragapp import RagApp
from ragapp.logs import log_path
from ragapp.serve import forgetting
from ragapp.serve.forgetting import keep_sweeping, sweep

from .conftest import Service, run_until


def person_id(office: Service, name: str) -> str:
    found = office.house.catalog.people.find(name=name)
    assert found
    return found.id


def keep(office: Service, days: int | None) -> None:
    serve = office.house.settings.serve.model_copy(update={"retention_days": days})
    office.house.rag.settings = office.house.settings.model_copy(update={"serve": serve})


def test_answers_go_after_their_days_with_conversations_that_are_empty_then(office: Service) -> None:
    conversations, bob = office.house.catalog.conversations, person_id(office, "bob")
    old = conversations.start(bob, "old")
    conversations.ask("a1", bob, old.id, "api", "Long ago?")
    now = datetime.now(UTC)
    keep(office, None)
    assert sweep(office.house.rag, now + timedelta(days=10_000)).answers == 0
    keep(office, 30)
    assert sweep(office.house.rag, now + timedelta(days=29)).answers == 0
    assert sweep(office.house.rag, now + timedelta(days=31)).answers == 1
    assert conversations.get(old.id, bob) is None


def test_attached_files_go_with_their_time_or_their_conversation(office: Service) -> None:
    catalog, bob = office.house.catalog, person_id(office, "bob")
    kept, dropped = (catalog.conversations.start(bob, title) for title in ("kept", "dropped"))
    first, second, third = catalog.documents()
    now = datetime.now(UTC)
    catalog.conversations.attach(kept.id, first.id, first.source, now + timedelta(hours=1))
    catalog.conversations.attach(kept.id, second.id, second.source, now + timedelta(hours=3))
    catalog.conversations.attach(dropped.id, third.id, third.source, now + timedelta(hours=3))
    assert sweep(office.house.rag, now).files == 0
    with office.signed_in("bob") as browser:
        assert browser.delete(f"/v1/conversations/{dropped.id}").status_code == 204
    assert sweep(office.house.rag, now + timedelta(hours=2)).files == 2
    assert [row.id for row in catalog.documents()] == [second.id]
    assert catalog.conversations.attachments(kept.id) == (second.id,)


def test_removing_a_person_takes_their_files_at_once(office: Service) -> None:
    catalog, bob = office.house.catalog, person_id(office, "bob")
    conversation = catalog.conversations.start(bob, "x")
    (document, *_) = catalog.documents()
    catalog.conversations.attach(conversation.id, document.id, document.source, datetime.now(UTC) + timedelta(hours=1))
    with office.client(office.token("root")) as root:
        assert root.delete(f"/v1/people/{bob}").status_code == 204
    assert catalog.document(document.id) is None


async def test_after_a_sweep_that_fails_unexpectedly_comes_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, again = asyncio.get_running_loop(), asyncio.Event()
    swept: list[Path] = []

    def locked(folder: Path, _: float) -> None:
        swept.append(folder)
        if len(swept) == 2:
            monkeypatch.setattr(forgetting, "_EVERY_S", 3600)
            loop.call_soon_threadsafe(again.set)
        raise PermissionError("the door is locked")

    monkeypatch.setattr(forgetting, "_EVERY_S", 0)
    monkeypatch.setattr(forgetting, "clear_old", locked)
    with RagApp(data=tmp_path) as rag:
        await run_until(again, keep_sweeping(rag))
        said = log_path(rag.settings).read_text(encoding="utf-8")
    assert "Traceback" in said and "the door is locked" in said
