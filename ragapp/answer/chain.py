"""The answer chain: condense → retrieve → pack → generate → cite → check, as one LangChain runnable.

Each stage is a plain callable in `Stages`; a developer puts another in its place with `dataclasses.replace`.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, cast

from langchain_core.runnables import Runnable, RunnableConfig

from ragapp.access import Scope
from ragapp.answer.bridge import LoopThread
from ragapp.answer.citations import Cited, Markers
from ragapp.answer.condense import Condensed
from ragapp.answer.events import CitationReady, Done, Event, PassagesFound, SentenceReady, TokenArrived
from ragapp.answer.grounding import Judgement, declines, nearest_documents
from ragapp.answer.history import confirmed, documents_of
from ragapp.answer.inert import inert
from ragapp.answer.prompt import Prompt
from ragapp.answer.refusal import refusal
from ragapp.answer.rights import Confirms, Resting, WhoAsks
from ragapp.answer.sentences import SentenceStream
from ragapp.answer.unseen import JOINERS, seen_line
from ragapp.errors import BadQuestion
from ragapp.logs import beside
from ragapp.retrieve.hybrid import Retrieved
from ragapp.types import Answer, AnswerStatus, Citation, Passage, Principal, Sentence, Timings, Turn, Usage

_log = logging.getLogger(__name__)
_DECLINED = "the model found no answer in the passages"
_UNSUPPORTED = "no sentence of the answer stood up to the passages"
_CUT = "the limit of tokens was reached before the first sentence was whole (chat.max_answer_tokens)"


@dataclass(frozen=True, slots=True)
class Said:
    """A question as it was sent, with what was said before it."""

    question: str
    history: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """A question on its way through the chain: whose, as they are when its turn has come, and what they may use of
    what was said before."""

    question: str
    principal: Principal
    history: tuple[Turn, ...] = ()
    narrowed: Scope | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of generated text; the usage comes with the last one."""

    text: str
    usage: Usage | None = None
    cut: bool = False
    """The answer's limit of tokens was reached here."""


@dataclass(frozen=True, slots=True)
class Stages:
    """The chain's parts. Condense, retrieve, judge, pack, cite and check may be plain or async functions."""

    condense: Callable[[Asked], Condensed | Awaitable[Condensed]]
    """→ the question as retrieval should see it."""
    retrieve: Callable[[str, Asked], Retrieved | Awaitable[Retrieved]]
    judge: Callable[[str, Retrieved], Judgement | Awaitable[Judgement]]
    """→ whether the evidence suffices, or the reason for "not found"."""
    pack: Callable[[Asked, Sequence[Passage], Judgement], Prompt | Awaitable[Prompt]]
    generate: Callable[[Prompt, Asked], AsyncIterator[Piece]]
    cite: Callable[[str, Sequence[Passage], str], Cited | Awaitable[Cited]]
    """(sentence, passages of the prompt, question) → the sentence with its citations."""
    check: Callable[[Cited], bool | Awaitable[bool]]
    """→ whether the sentence stands."""


@dataclass(slots=True)
class _Progress:
    """What has come together of one answer so far."""

    asked: Asked
    rests_on: frozenset[str]
    """Ids of the documents that its words can come from."""
    began: float = field(default_factory=time.monotonic)
    retrieved: Retrieved | None = None
    retrieve_s: float = 0.0
    first_token_s: float | None = None
    prompt: Prompt | None = None
    usage: Usage = field(default_factory=Usage)
    markers: Markers = field(default_factory=Markers)
    sentences: list[Sentence] = field(default_factory=list)
    citations: list[Citation] = field(default_factory=list)
    held_back: list[Sentence] = field(default_factory=list)
    """Unsupported sentences that wait for a supported one to come; without any they are never shown."""
    declined: bool = False
    """The model said that the passages don't hold the answer."""
    cut: bool = False
    """The limit of tokens was reached in the middle of a sentence."""

    def since(self) -> float:
        return round(time.monotonic() - self.began, 4)


class AnswerChain(Runnable[Any, Answer]):
    """Asks as one principal, bound when it is built. Input: a question, or {"question", "history"}; output: Answer.

    Who asks, and whether they may see what the answer rests on, is looked up when it is taken up, before retrieval, and
    before each event; RightsChanged is raised where that is so no more, and nothing is let out any more.

    `stream` and `astream` yield typed events (ragapp.answer.events); `tokens=True` adds raw tokens. As a part of
    a sequence it gives one Answer, streamed or not: what follows takes an answer, no events.
    """

    def __init__(
        self,
        stages: Stages,
        principal: Principal | WhoAsks,
        loop: LoopThread,
        catalog: Confirms,
        *,
        model: str,
        narrowed: Scope | None = None,
        log_text: bool = False,
    ) -> None:
        self.stages = stages
        self._asks: WhoAsks = principal if callable(principal) else lambda: principal
        self._catalog = catalog
        self._loop = loop
        self._model = model
        self._narrowed = narrowed
        self._log_text = log_text

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Answer:
        _refuse(kwargs)
        return self._call_with_config(lambda said: self._loop.run(self._answer(said)), self._said(input), config)

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Answer:
        _refuse(kwargs)
        return await self._acall_with_config(self._answer, self._said(input), config)

    def stream(  # type: ignore[override]  # events, not answers: a reader of a stream wants each step as it comes
        self, input: Any, config: RunnableConfig | None = None, *, tokens: bool = False, **kwargs: Any
    ) -> Iterator[Event]:
        yield from self._loop.iterate(lambda: self.astream(input, config, tokens=tokens, **kwargs))

    async def astream(  # type: ignore[override]
        self, input: Any, config: RunnableConfig | None = None, *, tokens: bool = False, **kwargs: Any
    ) -> AsyncGenerator[Event]:
        _refuse(kwargs)

        async def question() -> AsyncIterator[Said]:
            yield self._said(input)

        async def answered(questions: AsyncIterator[Said]) -> AsyncIterator[Any]:
            async for said in questions:
                async with aclosing(self._events(said, tokens)) as events:
                    async for event in events:
                        yield event

        # LangChain's own way, so that callbacks, tags and tracing reach the chat model as they do with invoke
        steps = cast("AsyncGenerator[Event]", self._atransform_stream_with_config(question(), answered, config))
        async with aclosing(steps) as events:
            async for event in events:
                yield event

    def transform(self, input: Iterator[Any], config: RunnableConfig | None = None, **kwargs: Any) -> Iterator[Answer]:
        if pieces := list(input):
            yield self.invoke(_joined(pieces), config, **kwargs)

    async def atransform(
        self, input: AsyncIterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Answer]:
        if pieces := [piece async for piece in input]:
            yield await self.ainvoke(_joined(pieces), config, **kwargs)

    @staticmethod
    def _said(input: Any) -> Said:
        question, history = (input["question"], input.get("history", ())) if isinstance(input, Mapping) else (input, ())
        return Said(_clean(question), _turns(history))

    async def _answer(self, said: Said) -> Answer:
        async with aclosing(self._events(said, tokens=False)) as events:
            async for event in events:
                if isinstance(event, Done):
                    return event.answer
        raise AssertionError("the chain ended without an answer")

    async def _events(self, said: Said, tokens: bool) -> AsyncGenerator[Event]:
        resting = Resting(self._asks, self._catalog)
        # closed by name: garbage collection would free the engine's request later than the reader leaves
        async with aclosing(self._steps(said, resting, tokens)) as events:
            async for event in events:
                await asyncio.to_thread(resting.look)
                if isinstance(event, Done):
                    _note(event.answer, with_text=self._log_text)
                yield event

    async def _steps(self, said: Said, resting: Resting, tokens: bool) -> AsyncGenerator[Event]:
        """The events, each to be let out only after a look at what the answer rests on by then."""
        asked = await asyncio.to_thread(self._taken_up, said, resting)
        progress = _Progress(asked, resting.documents)
        condensed = await _run(self.stages.condense, asked)
        query, progress.usage = condensed.question, condensed.usage
        # rewriting the question may have taken the model a while
        asked = progress.asked = replace(asked, principal=await asyncio.to_thread(resting.look))
        retrieved = progress.retrieved = await _run(self.stages.retrieve, query, asked)
        progress.retrieve_s = progress.since()
        resting.documents |= {found.document_id for found in retrieved.passages}
        yield PassagesFound(retrieved.passages)
        nothing = Judgement("nothing was found")
        judgement = await _run(self.stages.judge, query, retrieved) if retrieved.passages else nothing
        reason = judgement.reason
        if not reason:
            prompt = progress.prompt = await _run(self.stages.pack, asked, retrieved.passages, judgement)
            progress.rests_on |= {held.document_id for held in prompt.passages}
            resting.documents |= progress.rests_on
            await asyncio.to_thread(resting.look)
            async with aclosing(self._generated(progress, prompt, tokens)) as events:
                async for event in events:
                    yield event
            if not any(sentence.supported for sentence in progress.sentences):
                reason = _DECLINED if progress.declined else _CUT if progress.cut else _UNSUPPORTED
        answer = self._whole(progress, reason)
        resting.documents |= {near.document_id for near in answer.nearest}
        yield Done(answer)

    def _taken_up(self, said: Said, resting: Resting) -> Asked:
        """The question of whoever asks now; what they may use of what was said before is what its answer rests on."""
        principal = resting.look()
        history = confirmed(said.history, principal, self._catalog)
        resting.documents |= documents_of(history)
        return Asked(said.question, principal, history, self._narrowed)

    async def _generated(self, progress: _Progress, prompt: Prompt, tokens: bool) -> AsyncGenerator[Event]:
        stream = SentenceStream()
        pieces = self.stages.generate(prompt, progress.asked)
        try:
            async for piece in pieces:
                if progress.first_token_s is None and piece.text:
                    progress.first_token_s = progress.since()
                if piece.usage:
                    progress.usage += piece.usage
                progress.cut = progress.cut or piece.cut
                if tokens and piece.text:
                    yield TokenArrived(piece.text)
                for text in stream.feed(piece.text):
                    for event in await self._released(progress, prompt, text):
                        yield event
        finally:
            # a reader who leaves in mid-answer must free the request in the engine at once
            if close := getattr(pieces, "aclose", None):
                await close()
        # half a sentence may say the opposite of the whole
        if (rest := stream.rest()) and not progress.cut:
            for event in await self._released(progress, prompt, rest):
                yield event

    async def _released(self, progress: _Progress, prompt: Prompt, text: str) -> list[Event]:
        """Events for one generated sentence: none while it has to wait, or if it states what no passage holds."""
        if declines(text, prompt.passages):
            progress.declined = True
            return []
        cited = await _run(self.stages.cite, text, prompt.passages, progress.asked.question)
        # whoever wrote the document must not reach the reader's viewer, whatever form the answer is shown in
        shown = inert(cited.text)
        if not shown or any(shown == known.text for known in progress.sentences + progress.held_back):
            return []
        if not await _run(self.stages.check, cited):
            if cited.invented:
                return []
            progress.held_back.append(Sentence(shown, (), supported=False))
            return self._unheld(progress) if progress.sentences else []
        events: list[Event] = []
        markers = []
        for found in cited.citations:
            citation, new = progress.markers.number(found)
            markers.append(citation.marker)
            if new:
                progress.citations.append(citation)
                events.append(CitationReady(citation))
        events = self._unheld(progress) + events
        sentence = Sentence(shown, tuple(markers), supported=True)
        progress.sentences.append(sentence)
        return [*events, SentenceReady(sentence)]

    @staticmethod
    def _unheld(progress: _Progress) -> list[Event]:
        waiting, progress.held_back = progress.held_back, []
        progress.sentences += waiting
        return [SentenceReady(sentence) for sentence in waiting]

    def _whole(self, progress: _Progress, reason: str) -> Answer:
        status: AnswerStatus = "not_found" if reason else "answered"
        refused = refusal(progress.asked.question) if reason else ""
        retrieved = progress.retrieved
        return Answer(
            question=progress.asked.question,
            status=status,
            text=refused or " ".join(written(sentence) for sentence in progress.sentences),
            sentences=() if reason else tuple(progress.sentences),
            citations=() if reason else tuple(progress.citations),
            passages=retrieved.passages if retrieved else (),
            nearest=nearest_documents(retrieved.candidates) if reason and retrieved else (),
            timings=Timings(progress.retrieve_s, progress.first_token_s, progress.since()),
            usage=progress.usage,
            model=self._model,
            reason=reason,
            turn=Turn(
                progress.asked.question,
                refused or " ".join(sentence.text for sentence in progress.sentences),
                progress.prompt.new_passages if progress.prompt else (),
                progress.prompt.user_message if progress.prompt else "",
                progress.rests_on,
            ),
        )


def _note(answer: Answer, *, with_text: bool) -> None:
    """One line in the log for each question: what it came to and what it cost; its words only where that is allowed."""
    usage, timings = answer.usage, answer.timings
    figures = beside(
        passages=len(answer.passages),
        citations=len(answer.citations),
        retrieve_s=timings.retrieve_s,
        first_token_s=timings.first_token_s,
        total_s=timings.total_s,
        prompt_tokens=usage.prompt_tokens,
        cached_tokens=usage.cached_tokens,
        completion_tokens=usage.completion_tokens,
        # the reason names the question's words
        **({"question": answer.question, "answer": answer.text, "reason": answer.reason} if with_text else {}),
    )
    _log.info("%s", answer.status, extra=figures)


def written(sentence: Sentence) -> str:
    """A sentence as a reader sees it in plain text: its markers behind it, or that nothing supports it."""
    if not sentence.supported:
        return f"{sentence.text} [unsupported]"
    return sentence.text + "".join(f" [{marker}]" for marker in sentence.markers)


def _refuse(unknown: Mapping[str, Any]) -> None:
    """Raises BadQuestion for a keyword that would be passed over, though its caller counts on it."""
    if unknown:
        raise BadQuestion(
            f"The chain doesn't know {', '.join(sorted(unknown))} here; whom it asks for and what it is narrowed to "
            "are said when it is built (RagApp.chain)."
        )


def _joined(pieces: Sequence[Any]) -> Any:
    """The input that came in pieces, put together as every Runnable does it: added up, or the last where none adds."""
    whole, *more = pieces
    for piece in more:
        try:
            whole = whole + piece
        except TypeError:
            whole = piece
    return whole


def _clean(question: Any) -> str:
    if not isinstance(question, str):
        raise BadQuestion(f"A question must be text, and this is a {type(question).__name__}.")
    text = question.encode("utf-8", "replace").decode()
    kept = "".join(c if c.isprintable() or c in JOINERS else " " for c in text)
    if not (kept := seen_line(kept)):
        raise BadQuestion("The question is empty; ask something.")
    return kept


def _turns(history: Any) -> tuple[Turn, ...]:
    try:
        return tuple(_turn(said) for said in history or ())
    except (KeyError, TypeError, ValueError):
        raise BadQuestion(
            "The history must hold earlier answers, or pairs of question and answer; leave out what is neither."
        ) from None


def _turn(said: Any) -> Turn:
    if isinstance(said, Turn):
        return said
    if isinstance(said, Answer):
        return said.turn
    question, answer = (said["question"], said["answer"]) if isinstance(said, Mapping) else said
    return Turn(str(question), str(answer))


async def _run(stage: Callable[..., Any], *given: Any) -> Any:
    """A stage's value; plain functions run on a thread, since embedding and searching would hold up the loop."""
    if inspect.iscoroutinefunction(stage):
        return await stage(*given)
    value = await asyncio.to_thread(stage, *given)
    return await value if inspect.isawaitable(value) else value
