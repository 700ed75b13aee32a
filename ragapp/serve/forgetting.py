"""What goes when its time is over, or with its person: questions and answers, and the files of conversations."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ingest.origins.uploads import clear_old
from ragapp.app import RagApp
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.service_rows import AnswerRow, ConversationRow, PersonRow
from ragapp.errors import RagappError
from ragapp.serve.naming import OF_CONVERSATIONS
from ragapp.serve.withheld import readable

_log = logging.getLogger(__name__)
_EVERY_S = 600.0
_PAGE = 200
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Swept:
    """What was taken away."""

    answers: int
    files: int


def sweep(rag: RagApp, now: datetime | None = None) -> Swept:
    """Take away answers older than the settings keep them, and files whose time or conversation is over."""
    now = now or datetime.now(UTC)
    days = rag.settings.serve.retention_days
    answers = rag.catalog.conversations.forget_before(now - timedelta(days=days)) if days else 0
    due = rag.catalog.conversations.expired_attachments(now)
    rag.catalog.conversations.detach(due)  # first: what lies in them is loose from then on, and so are they
    files = remove_files(rag, dict.fromkeys([*due, *loose_files(rag)]))
    clear_old(rag.settings.data / "uploads", now.timestamp())
    if answers:
        rag.catalog.scrub()
    return Swept(answers, files)


def loose_files(rag: RagApp) -> tuple[str, ...]:
    """Files of conversations that came in after they, or their conversation, were taken away."""
    return rag.catalog.conversations.loose(OF_CONVERSATIONS)


def remove_files(rag: RagApp, document_ids: Iterable[str]) -> int:
    """Take away files of conversations, as far as they are in. Returns how many."""
    removed, ids = 0, list(document_ids)
    for first in range(0, len(ids), _AT_ONCE):
        known = rag.catalog.known(ids[first : first + _AT_ONCE])
        if known:
            rag.remove(rag.plan_removal(*known))
        removed += len(known)
    return removed


async def keep_sweeping(rag: RagApp) -> None:
    """Until cancelled. A sweep that fails is done again with the next."""
    while True:
        await asyncio.sleep(_EVERY_S)
        try:
            swept = await asyncio.to_thread(sweep, rag)
        except RagappError as error:
            _log.warning("what is due could not be deleted now: %s", error)
            continue
        except Exception:  # noqa: BLE001 - whatever one sweep comes to, the next one is due
            _log.exception("what is due could not be deleted now")
            continue
        if swept.answers or swept.files:
            _log.info("deleted %d answers and %d files, whose time was over", swept.answers, swept.files)


def forget(rag: RagApp, person_id: str) -> str:
    """Delete an account and all that is known of its person; the audit and the figures of usage keep a bare id.

    Returns why files that were attached to conversations are still to be deleted, in one sentence; mostly empty. Nobody
    sees them any more. Raises CatalogError for the only admin.
    """
    rag.catalog.people.remove(person_id)
    try:
        sweep(rag)
    except RagappError as error:
        return f"Files that were attached to conversations go with the service's next sweep, since: {error}"
    finally:
        rag.catalog.scrub()
    return ""


def all_about(catalog: Catalog, person: PersonRow) -> dict[str, Any]:
    """All that is known of a person, as JSON; of answers what the person may see now."""
    conversations, held = catalog.conversations, list(_conversations(catalog, person.id))
    given = conversations.feedback_on([answer.id for answer in conversations.all_answers(person.id)])
    return {
        "account": {
            "id": person.id, "name": person.name, "display": person.display, "role": person.role,
            "active": person.active, "groups": sorted(person.groups), "curates": sorted(person.curates),
            "created": person.created.isoformat(), "elsewhere": person.subject,
            "signed_in": person.signed_in.isoformat() if person.signed_in else None,
        },
        "tokens": [
            {"name": token.name, "scopes": sorted(token.scopes), "created": token.created.isoformat()}
            for token in catalog.credentials.tokens(person.id)
        ],
        "conversations": [
            {
                "id": row.id, "title": row.title, "created": row.created.isoformat(),
                "files": sorted(known.source for known in catalog.known(conversations.attachments(row.id)).values()),
            }
            for row in held
        ],
        "answers": [
            _answer(catalog, person, answer)
            | {"feedback": {"good": said.good, "reason": said.reason} if (said := given.get(answer.id)) else None}
            for answer in conversations.all_answers(person.id)
        ],
        "usage": [
            {"at": row.at.isoformat(), "model": row.model, "tokens": row.prompt_tokens + row.completion_tokens}
            for row in catalog.usage.rows(datetime.min.replace(tzinfo=UTC))
            if row.person_id == person.id
        ],
        "audit": [
            {"at": row.at.isoformat(), "action": row.action, "what": row.what, "detail": dict(row.detail)}
            for row in catalog.audit.export()
            if row.person_id == person.id
        ],
    }  # fmt: skip


def _answer(catalog: Catalog, person: PersonRow, row: AnswerRow) -> dict[str, Any]:
    principal = person.principal
    if row.conversation_id:
        # the files of a conversation of theirs are theirs
        principal = replace(principal, groups=principal.groups | {f"{OF_CONVERSATIONS}{row.conversation_id}"})
    fields = readable(row, principal, catalog)
    return {
        "id": row.id,
        "conversation": row.conversation_id,
        "asked": row.created.isoformat(),
        "question": row.question,
        "state": row.state,
        "answer": fields.get("answer", ""),
        "sources": [cited["source"] for cited in fields.get("citations", [])],
    }


def _conversations(catalog: Catalog, person_id: str) -> Iterator[ConversationRow]:
    offset = 0
    while page := catalog.conversations.list(person_id, limit=_PAGE, offset=offset):
        yield from page
        offset += len(page)
