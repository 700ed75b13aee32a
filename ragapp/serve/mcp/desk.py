"""Whom an agent's tools ask: the service as its caller, or this machine's data folder as its owner."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from ragapp.access import LOCAL
from ragapp.app import RagApp
from ragapp.catalog.rows import DocumentRow
from ragapp.errors import Unreadable
from ragapp.serve.asking import narrowing, prepare
from ragapp.serve.callers import Caller
from ragapp.serve.house import House
from ragapp.serve.problems import Refused, not_found
from ragapp.serve.rights import Rights, found_as_now
from ragapp.types import Answer, Extracted, Passage, Principal

Tell = Callable[[int, str], Awaitable[None]]
"""Told how far it is, as a number that grows, and in words."""


class Desk(Protocol):
    """Searches, answers and reads as one principal. Raises RagappError."""

    async def search(self, query: str, collections: Sequence[str], limit: int) -> tuple[Passage, ...]: ...

    async def ask(self, question: str, collections: Sequence[str], tell: Tell) -> Answer: ...

    async def read(self, document_id: str) -> tuple[DocumentRow, Extracted]: ...

    @property
    def is_admins(self) -> bool:
        """Whether whoever asks may know of the machine's folders."""
        ...


@dataclass(frozen=True, slots=True)
class HouseDesk:
    """The service, by the same queue, rights and records as its other doors."""

    house: House
    caller: Caller

    async def search(self, query: str, collections: Sequence[str], limit: int) -> tuple[Passage, ...]:
        def found() -> tuple[Passage, ...]:
            self._note("search.run", "", collections=sorted(collections))
            narrowed = narrowing(collections)
            return found_as_now(
                Rights(self.house, self.caller),
                lambda asks: self.house.rag.search(query, limit=limit, principal=asks, narrowed=narrowed),
            )

        return await asyncio.to_thread(found)

    async def ask(self, question: str, collections: Sequence[str], tell: Tell) -> Answer:
        asking = await asyncio.to_thread(
            prepare, self.house, self.caller, question, door="mcp", narrowed=narrowing(collections)
        )
        await asyncio.to_thread(self._note, "answer.ask", "", collections=sorted(collections))
        live = await self.house.answers.ask(asking)
        step = 0
        async with aclosing(self.house.answers.follow(live, asking.rights)) as events:
            async for event in events:
                step += 1
                if event.name == "queued":
                    await tell(step, f"place {event.data['place']} in the line")
                elif event.name == "passages":
                    await tell(step, f"reading {len(event.data['passages'])} passages")
        if live.error:
            raise live.error
        if live.answer is None:
            raise Refused(HTTPStatus.CONFLICT, str(live.events[-1].data["detail"]))
        return live.answer

    async def read(self, document_id: str) -> tuple[DocumentRow, Extracted]:
        found = await asyncio.to_thread(_document, self.house.rag, self.caller.principal, document_id)
        await asyncio.to_thread(self._note, "document.read", document_id)
        return found

    @property
    def is_admins(self) -> bool:
        return self.caller.is_admin

    def _note(self, action: str, what: str, **detail: object) -> None:
        self.house.note(self.caller.person.id, action, what, door="mcp", **detail)


@dataclass(frozen=True, slots=True)
class LocalDesk:
    """A data folder opened by this process, as the person at this machine."""

    rag: RagApp

    async def search(self, query: str, collections: Sequence[str], limit: int) -> tuple[Passage, ...]:
        return await asyncio.to_thread(self.rag.search, query, limit=limit, narrowed=narrowing(collections))

    async def ask(self, question: str, collections: Sequence[str], tell: Tell) -> Answer:
        return await self.rag.aask(question, narrowed=narrowing(collections))

    async def read(self, document_id: str) -> tuple[DocumentRow, Extracted]:
        return await asyncio.to_thread(_document, self.rag, LOCAL, document_id)

    @property
    def is_admins(self) -> bool:
        return True


def _document(rag: RagApp, principal: Principal, document_id: str) -> tuple[DocumentRow, Extracted]:
    row = rag.catalog.document(document_id)
    if row is None or not rag.catalog.visible([document_id], principal):
        raise not_found("document")
    # behind the dot stands a mark that it is to be made again
    extracted = rag.files.extracted(row.sha256, row.parser_version.split(".")[0])
    if extracted is None:
        raise Unreadable("The text of this document is damaged; an admin can mend it: ragapp doctor --repair")
    return row, extracted
