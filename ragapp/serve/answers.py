"""An answer as a resource: asked for once, its events can be read again from any point, and it can be stopped."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from ragapp.access import Scope
from ragapp.answer.events import CitationReady, Done, Event, PassagesFound, SentenceReady
from ragapp.answer.history import documents_of
from ragapp.app import RagApp
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.service_rows import AnswerRow, AnswerState, ConversationRow, Door, UsageRow
from ragapp.errors import EngineError, RagappError, RightsChanged
from ragapp.logs import request_id
from ragapp.serve.answer_events import AnswerEvent, done_event, record_of, taken_back
from ragapp.serve.line import Line, Ticket
from ragapp.serve.metrics import Metrics
from ragapp.serve.rights import Rights, SignedOut
from ragapp.serve.shapes import citation_out, passage_out, sentence_out
from ragapp.serve.traces import Traces
from ragapp.serve.wording import told
from ragapp.types import Answer, Principal, Turn

_log = logging.getLogger(__name__)
STOPPED = "It was stopped before it was complete."
CLOSING = "The service is being stopped; ask again in a moment."
INTERRUPTED = "The service was restarted while it answered; ask again."
_LOOKS_EVERY_S = 1.0
"""How often it is looked whether who asks still may, also where nothing comes to be let out."""
History = Callable[[AnswerRow, Principal], tuple[Turn, ...]]
"""What was said before a question, as far as who asks may use it at the moment of the call."""


def no_history(_: AnswerRow, __: Principal) -> tuple[Turn, ...]:
    """A question that stands alone."""
    return ()


@dataclass(frozen=True, slots=True)
class Asking:
    """All that an answer needs to know before it is begun."""

    person_id: str
    rights: Rights
    """Who asks, looked up as often as it matters."""
    question: str
    door: Door
    conversation_id: str | None = None
    narrowed: Scope | None = None
    history: History = no_history
    begins: ConversationRow | None = None
    """The conversation that begins with the question."""
    replaces: tuple[str, ...] = ()
    """Ids of answers that go when the question is taken: the one that it is asked instead of, and all after that."""
    admin: bool = False
    """Whether whoever asks may be told of the machine's folders where it fails."""


@dataclass(eq=False, slots=True)
class LiveAnswer:
    """An answer in progress and who reads it."""

    row: AnswerRow
    """As it was when it was asked, and from its end on as it is then."""
    asking: Asking
    state: AnswerState = "queued"
    events: list[AnswerEvent] = field(default_factory=list)
    passing: AnswerEvent | None = None
    """The newest event without an id."""
    documents: set[str] = field(default_factory=set)
    """Ids of the documents that its events tell of, or lend their words from."""
    history: tuple[Turn, ...] = ()
    """The turns before it that its prompt could grow from."""
    answer: Answer | None = None
    error: RagappError | None = None
    """Why it failed or was stopped."""
    readers: int = 0
    version: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    leaving: asyncio.TimerHandle | None = None
    ending: str = ""
    """Why it is cancelled, where it is."""
    settling: bool = False
    """It is being kept."""

    @property
    def done(self) -> bool:
        return self.state not in ("queued", "running")

    def tell(self, event: AnswerEvent) -> None:
        """Keep an event for whoever reads, now or later."""
        if event.id is None:
            self.passing = event
        else:
            self.events.append(event)
            self.passing = None
        self.version += 1
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

    def next_id(self) -> int:
        return len(self.events) + 1

    def end(self, why: str) -> None:
        """Cancel it, unless it ends already: what is being kept is kept whole."""
        if self.task and not self.ending and not self.settling:
            self.ending = why
            self.task.cancel()

    def take_back(self, error: RightsChanged) -> None:
        """End it, since who asks lost rights: whoever waits for it is told this, and nothing of it is kept."""
        if not self.done:
            self.error = error
            self.end(str(error))


class Answers:
    """The answers in progress; those that are done are the catalog's. One event loop only."""

    def __init__(self, rag: RagApp, line: Line, metrics: Metrics, grace_s: float, traces: Traces | None = None) -> None:
        self._rag = rag
        self._line = line
        self._metrics = metrics
        self._grace_s = grace_s
        self._traces = traces
        self._live: dict[str, LiveAnswer] = {}
        self._closing = False

    @property
    def _catalog(self) -> Catalog:
        return self._rag.catalog

    async def ask(self, asking: Asking) -> LiveAnswer:
        """Take a question into the line. Raises LineFull, and EngineError where the service is being stopped."""
        if self._closing:
            raise EngineError(CLOSING)
        ticket = self._line.join(asking.person_id)
        try:
            row = await asyncio.to_thread(
                self._catalog.conversations.ask,
                str(uuid.uuid4()), asking.person_id, asking.conversation_id, asking.door, asking.question,
                begins=asking.begins, replaces=asking.replaces,
            )  # fmt: skip
        except BaseException:
            self._line.leave(ticket)
            raise
        live = self._live[row.id] = LiveAnswer(row, asking)
        live.task = asyncio.create_task(self._run(live, ticket), name=f"answer {row.id}")
        for replaced in filter(None, map(self._live.get, asking.replaces)):
            await self.stop(replaced)
        return live

    def get(self, answer_id: str) -> LiveAnswer | None:
        """The answer if it is in progress."""
        return self._live.get(answer_id)

    @asynccontextmanager
    async def reading(self, live: LiveAnswer) -> AsyncIterator[None]:
        """Count as a reader until the block ends."""
        self._comes(live)
        try:
            yield
        finally:
            self._goes(live)

    async def follow(self, live: LiveAnswer, rights: Rights, after: int = 0) -> AsyncGenerator[AnswerEvent]:
        """Events after this id, and those to come, for a reader with these rights: each is let out after a look at
        them, and an error ends it where they don't suffice any more. Whoever leaves the iterator counts as gone."""
        async with self.reading(live):
            told, passing = after, None
            while True:
                version, changed = live.version, live.changed
                for event in live.events[told:]:
                    told = event.id or told
                    if refused := await self.refused(live, rights):
                        yield refused
                        return
                    yield event
                if live.passing is not None and live.passing is not passing:
                    passing = live.passing
                    yield passing
                if version != live.version:
                    continue
                if live.done:
                    return
                await changed.wait()

    async def whole(self, live: LiveAnswer) -> LiveAnswer:
        """Wait for the end of an answer as its asker, and look once more; cancelling the wait counts as leaving."""
        async with self.reading(live):
            while not live.done:
                await live.changed.wait()
        await self.refused(live, live.asking.rights)
        return live

    async def refused(self, live: LiveAnswer, rights: Rights) -> AnswerEvent | None:
        """What a reader is told instead of the rest, where their rights don't suffice any more; None where they do.

        An answer that rests on what its asker may not see any more is stopped for everybody who reads it.
        """
        try:
            await asyncio.to_thread(rights.look, frozenset(live.documents))
        except RightsChanged as error:
            if rights is live.asking.rights:
                live.error = error
            if rights is live.asking.rights or not isinstance(error, SignedOut):
                live.take_back(error)
                await self.stop(live, str(error))
            return taken_back(live.row.id, error)
        return None

    async def stop(self, live: LiveAnswer, why: str = STOPPED) -> None:
        """End an answer; what was told of it stays. Harmless where it is done."""
        if live.task and not live.done:
            # cancelled before its first step a task has no end either: it would keep its place in the line
            await asyncio.sleep(0)
            live.end(why)
            await asyncio.wait([live.task])

    async def close(self, grace_s: float) -> None:
        """No more questions; those in progress may take so long, and are told in one sentence then."""
        self._closing = True
        tasks = [live.task for live in self._live.values() if live.task]
        if tasks:
            await asyncio.wait(tasks, timeout=grace_s)
        for live in list(self._live.values()):
            await self.stop(live, CLOSING)

    def stop_all_of(self, person_id: str) -> list[LiveAnswer]:
        """A person's answers in progress."""
        return [live for live in self._live.values() if live.asking.person_id == person_id]

    # readers

    def _comes(self, live: LiveAnswer) -> None:
        live.readers += 1
        if live.leaving:
            live.leaving.cancel()
            live.leaving = None

    def _goes(self, live: LiveAnswer) -> None:
        live.readers -= 1
        if live.readers or live.done:
            return
        # outside a conversation nobody can come back to it
        grace_s = self._grace_s if live.asking.conversation_id else 0.0
        live.leaving = asyncio.get_running_loop().call_later(grace_s, live.end, STOPPED)

    # the work

    async def _run(self, live: LiveAnswer, ticket: Ticket) -> None:
        waited_s, began = 0.0, asyncio.get_running_loop().time()
        state: AnswerState = "failed"
        reason = ""
        watch = asyncio.create_task(self._watch(live), name=f"watch of {live.row.id}")
        try:
            async for place in self._line.places(ticket):
                live.tell(AnswerEvent("queued", {"place": place}))
            waited_s = asyncio.get_running_loop().time() - began
            live.state = "running"
            live.tell(AnswerEvent("running", {"waited_s": round(waited_s, 3)}))
            with self._traces.answer(live.asking.question) if self._traces else nullcontext() as span:
                await self._answer(live)
                assert live.answer is not None
                if self._traces and span:
                    self._traces.answered(span, live.answer, waited_s)
            state = live.answer.status
        except asyncio.CancelledError:
            state, reason = "stopped", live.ending or STOPPED
        except RightsChanged as error:
            state, live.error, reason = "stopped", error, str(error)
        except RagappError as error:
            live.error, reason = error, told(error, admin=live.asking.admin)
        except Exception:  # noqa: BLE001 - whoever waits must hear of it, and the log has the rest
            _log.exception("an answer failed unexpectedly")
            reason = f"The answer failed unexpectedly; tell an admin the request id {request_id()}."
        finally:
            watch.cancel()
            self._line.leave(ticket)
            if isinstance(live.error, RightsChanged):
                live.answer = None
            await self._settle(live, state, reason, waited_s)

    async def _answer(self, live: LiveAnswer) -> None:
        asking, rights = live.asking, live.asking.rights
        principal = await asyncio.to_thread(rights.look)
        history = await asyncio.to_thread(asking.history, live.row, principal)
        live.history = history
        live.documents |= documents_of(history)
        events = self._rag.astream(
            asking.question, principal=rights.principal, history=history, narrowed=asking.narrowed
        )
        async with aclosing(events):
            async for event in events:
                self._hear(live, event)
        # the chain has looked before each event; this is for the moment since
        await asyncio.to_thread(rights.look, frozenset(live.documents))

    async def _watch(self, live: LiveAnswer) -> None:
        """End an answer, waiting or running, soon after its asker lost rights, though nothing comes to be let out."""
        while True:
            await asyncio.sleep(_LOOKS_EVERY_S)
            try:
                await asyncio.to_thread(live.asking.rights.look, frozenset(live.documents))
            except RightsChanged as error:
                return live.take_back(error)
            except RagappError as error:
                # what is let out is looked at by itself, and fails by itself
                _log.warning("it could not be looked whether a question may still be answered: %s", error)

    def _hear(self, live: LiveAnswer, event: Event) -> None:
        say: tuple[str, Mapping[str, Any]]
        if isinstance(event, PassagesFound):
            live.documents |= {found.document_id for found in event.passages}
            say = "passages", {"passages": [passage_out(found).model_dump(mode="json") for found in event.passages]}
        elif isinstance(event, CitationReady):
            say = "citation", citation_out(event.citation).model_dump()
        elif isinstance(event, SentenceReady):
            say = "sentence", sentence_out(event.sentence).model_dump()
        else:
            if isinstance(event, Done):
                live.answer = event.answer
                live.documents |= documents_of([event.answer.turn])
                live.documents |= {near.document_id for near in event.answer.nearest}
            return
        live.tell(AnswerEvent(*say, id=live.next_id()))

    async def _settle(self, live: LiveAnswer, state: AnswerState, reason: str, waited_s: float) -> None:
        """Into the catalog first, then to whoever reads: an answer that was told can always be read again."""
        live.settling = True
        record: Mapping[str, Any] = record_of(live.answer, waited_s, live.history) if live.answer else {}
        ended = replace(live.row, state=state, reason=reason, record=record, ended=datetime.now(UTC))
        try:
            record = await asyncio.shield(asyncio.to_thread(self._keep, live, ended, waited_s))
            ended = replace(ended, record=record)
        except RagappError as error:
            # a full disk loses the record and not the answer
            _log.error("an answer could not be kept: %s", error)
        finally:
            live.row, live.state = ended, state
            last = done_event(ended, record.get("fields", {}), live.next_id())
            if isinstance(live.error, RightsChanged):
                last = replace(taken_back(ended.id, live.error), id=last.id)
            live.tell(last)
            self._live.pop(live.row.id, None)

    def _keep(self, live: LiveAnswer, ended: AnswerRow, waited_s: float) -> Mapping[str, Any]:
        """Returns the record as it is kept."""
        record = self._catalog.conversations.settle(ended.id, ended.state, ended.reason, ended.record)
        answer, asking = live.answer, live.asking
        timings, usage = (answer.timings, answer.usage) if answer else (None, None)
        self._catalog.usage.note(
            UsageRow(
                at=datetime.now(UTC),
                person_id=asking.person_id,
                door=asking.door,
                collections=asking.narrowed.collections if asking.narrowed else frozenset(),
                model=answer.model if answer else "",
                status=ended.state,
                prompt_tokens=usage.prompt_tokens if usage else 0,
                cached_tokens=usage.cached_tokens if usage else 0,
                completion_tokens=usage.completion_tokens if usage else 0,
                waited_s=waited_s,
                first_token_s=timings.first_token_s if timings else None,
                total_s=timings.total_s if timings else 0.0,
            )
        )
        self._metrics.answered(ended.state, answer, waited_s)
        return record
