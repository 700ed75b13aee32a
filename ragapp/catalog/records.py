"""What the service writes down of what was done: an audit that only grows, and what each question cost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, select

from ragapp.catalog.service_rows import AuditRow, UsageRow
from ragapp.catalog.service_tables import AuditTable, PersonTable, UsageTable
from ragapp.catalog.sessions import Sessions

_PAGE = 1_000


class Audit:
    """Who did what and when. The database refuses to change or delete a row."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def note(
        self, person_id: str, action: str, what: str = "", detail: Mapping[str, Any] | None = None, request_id: str = ""
    ) -> None:
        """`action` as "noun.verb" ("answer.ask"); `what` is an id or a name, never a document's or a person's words."""
        with self._sessions.writing() as session:
            session.add(
                AuditTable(
                    at=datetime.now(UTC), person_id=person_id, action=action, what=what,
                    detail=json.dumps(detail or {}, ensure_ascii=False, sort_keys=True), request_id=request_id,
                )
            )  # fmt: skip

    def rows(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        person_id: str | None = None,
        action: str | None = None,
        before: int | None = None,
        limit: int = 200,
    ) -> tuple[AuditRow, ...]:
        """The newest entries first; `before` is the id that the page before ended with."""
        wanted = self._wanted(since, until, person_id, action).order_by(AuditTable.id.desc()).limit(limit)
        if before is not None:
            wanted = wanted.where(AuditTable.id < before)
        with self._sessions.reading() as session:
            return tuple(_audit(found, name) for found, name in session.execute(wanted))

    def export(self, since: datetime | None = None, until: datetime | None = None) -> Iterator[AuditRow]:
        """All entries, the oldest first, in pages."""
        last = 0
        while True:
            wanted = self._wanted(since, until, None, None).where(AuditTable.id > last)
            with self._sessions.reading() as session:
                page = [
                    _audit(found, name) for found, name in session.execute(wanted.order_by(AuditTable.id).limit(_PAGE))
                ]
            if not page:
                return
            yield from page
            last = page[-1].id

    @staticmethod
    def _wanted(
        since: datetime | None, until: datetime | None, person_id: str | None, action: str | None
    ) -> Select[AuditTable, str]:
        wanted = select(AuditTable, PersonTable.name).join(
            PersonTable, PersonTable.id == AuditTable.person_id, isouter=True
        )
        if since is not None:
            wanted = wanted.where(AuditTable.at >= since)
        if until is not None:
            wanted = wanted.where(AuditTable.at < until)
        if person_id is not None:
            wanted = wanted.where(AuditTable.person_id == person_id)
        if action is not None:
            wanted = wanted.where(AuditTable.action == action)
        return wanted


class UsageRecords:
    """What questions cost."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def note(self, row: UsageRow) -> None:
        with self._sessions.writing() as session:
            session.add(
                UsageTable(
                    at=row.at, person_id=row.person_id, door=row.door, collections=json.dumps(sorted(row.collections)),
                    model=row.model, status=row.status, prompt_tokens=row.prompt_tokens,
                    cached_tokens=row.cached_tokens, completion_tokens=row.completion_tokens,
                    waited_s=row.waited_s, first_token_s=row.first_token_s, total_s=row.total_s,
                )
            )  # fmt: skip

    def rows(self, since: datetime, until: datetime | None = None) -> Iterator[UsageRow]:
        """What was asked since then, the oldest first, in pages."""
        wanted = select(UsageTable).where(UsageTable.at >= since).order_by(UsageTable.id).limit(_PAGE)
        if until is not None:
            wanted = wanted.where(UsageTable.at < until)
        last = 0
        while True:
            with self._sessions.reading() as session:
                page = [(found.id, _usage(found)) for found in session.scalars(wanted.where(UsageTable.id > last))]
            if not page:
                return
            yield from (row for _, row in page)
            last = page[-1][0]


def _usage(found: UsageTable) -> UsageRow:
    return UsageRow(
        found.at, found.person_id, found.door, frozenset(json.loads(found.collections)),  # type: ignore[arg-type]
        found.model, found.status, found.prompt_tokens, found.cached_tokens,  # type: ignore[arg-type]
        found.completion_tokens, found.waited_s, found.first_token_s, found.total_s,
    )  # fmt: skip


def _audit(found: AuditTable, name: str | None) -> AuditRow:
    return AuditRow(
        found.id, found.at, found.person_id, name or "", found.action, found.what, json.loads(found.detail),
        found.request_id,
    )  # fmt: skip
