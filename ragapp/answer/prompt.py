"""The prompt: instructions, then each turn's sources and question; a conversation's prompt only grows."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from ragapp.answer.sentences import spans
from ragapp.answer.unseen import seen
from ragapp.errors import QuestionTooLong
from ragapp.types import Passage, Turn

CountTokens = Callable[[str], int]

NO_ANSWER = "NOT_FOUND"
"""What the instructions have the model write, in every language, where the sources don't hold the answer."""
_FOLLOW_UP_SHARE = 4
"""A follow-up adds at most a quarter of the passages that a first question gets: those before it are still in the
prompt, and what is new is all that the engine has to read."""
_LIKE_A_MARK = re.compile(r"<(?=\s*/?\s*[0-9a-f]{6}\s*>)", re.IGNORECASE)
"""A fence's mark, right or guessed: a small model can't tell one from the other."""
_TURN_TOKENS = 24
"""What a chat template puts around the messages of one turn, generously."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Room for a prompt, in the chat model's tokens."""

    context: int
    answer: int
    passages: int
    count: CountTokens

    @property
    def prompt(self) -> int:
        """What the prompt as a whole may take."""
        return self.context - self.answer


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model is asked, and the passages that its markers count, from 1."""

    messages: tuple[BaseMessage, ...]
    passages: tuple[Passage, ...]
    new_passages: tuple[Passage, ...]
    """Those that this question added."""
    user_message: str
    choices: tuple[str, ...] | None = None
    """The only answers that the model may give; None where it words its own."""


@dataclass(frozen=True, slots=True)
class PromptWriter:
    """Writes prompts with one set of instructions and one secret for the fences."""

    instructions: str
    secret: bytes

    def pack(
        self,
        question: str,
        history: Sequence[Turn],
        found: Sequence[Passage],
        budget: Budget,
        likeliest: Sequence[str] = (),
    ) -> Prompt:
        """The prompt for a question, as many of the best passages in it as there is room for. Of a passage that is too
        long alone, what stands around the first of the `likeliest` statements that it holds is kept.

        Earlier turns stay as they were sent, so that the engine finds them in its prefix cache; when they no longer
        fit, the conversation starts anew with a summary of its questions and answers. Raises QuestionTooLong.
        """
        kept = [turn if turn.prompt else replace(turn, prompt=_bare(turn.question)) for turn in history]
        room = self.room(question, budget)
        past = sum(budget.count(turn.prompt) + budget.count(turn.answer) + _TURN_TOKENS for turn in kept)
        # a follow-up needs some room for new passages, or it would be answered from the old ones alone
        if past + min(budget.passages, room) // 2 > room:
            return self._anew(question, kept, found, budget, room, likeliest)
        given = [passage for turn in kept for passage in turn.passages]
        new = [p for p in found if not _covered(p, given)]
        wanted = budget.passages // _FOLLOW_UP_SHARE if given else budget.passages
        chosen = self._fitting(new, len(given), min(wanted, room - past), budget.count, likeliest)
        return self._prompt(question, kept, given, chosen, "")

    def room(self, question: str, budget: Budget) -> int:
        """Tokens left beside the question for sources and earlier turns. Raises QuestionTooLong where none are."""
        asked = budget.count(question)
        room = budget.prompt - budget.count(self.instructions) - _TURN_TOKENS
        if asked >= room:
            raise QuestionTooLong(
                f"The question takes {asked} tokens and the model has room for {room}; ask a shorter one."
            )
        return room - asked

    def _anew(
        self,
        question: str,
        history: Sequence[Turn],
        found: Sequence[Passage],
        budget: Budget,
        room: int,
        likeliest: Sequence[str],
    ) -> Prompt:
        summary = ""
        for turn in reversed(history):
            longer = f"Earlier question: {turn.question}\nAnswer: {turn.answer}\n{summary}"
            if budget.count(longer) > min(room // 3, budget.passages // 2):
                break
            summary = longer
        left = room - budget.count(summary)
        chosen = self._fitting(found, 0, min(budget.passages, left), budget.count, likeliest)
        return self._prompt(question, (), [], chosen, summary)

    def _prompt(
        self, question: str, turns: Sequence[Turn], given: Sequence[Passage], new: Sequence[Passage], summary: str
    ) -> Prompt:
        sources = "".join(self.fenced(number, p) for number, p in enumerate(new, len(given) + 1))
        user_message = f"{summary}{sources}{_bare(question)}"
        messages: list[BaseMessage] = [SystemMessage(self.instructions)]
        for turn in turns:
            messages += [HumanMessage(turn.prompt), AIMessage(turn.answer)]
        messages.append(HumanMessage(user_message))
        return Prompt(tuple(messages), (*given, *new), tuple(new), user_message)

    def _fitting(
        self, found: Sequence[Passage], given: int, room: int, count: CountTokens, likeliest: Sequence[str]
    ) -> list[Passage]:
        """The best passages that fit, best first; if even the best one is too long, the part of it that matters.

        One that is too long for what is left is passed over, and shorter ones behind it have their chance.
        """
        chosen: list[Passage] = []
        for passage in found:
            number = given + len(chosen) + 1
            size = count(self.fenced(number, passage))
            if size <= room:
                chosen.append(passage)
                room -= size
            elif not chosen and (shorter := self._cut(passage, number, room, count, likeliest)):
                return [shorter]
        return chosen

    def _cut(
        self, passage: Passage, number: int, room: int, count: CountTokens, likeliest: Sequence[str]
    ) -> Passage | None:
        """As many whole sentences and lines as fit around the likeliest statement, else around the first."""
        parts = spans(passage.text)
        if not parts:
            return None
        at = next((place for text in likeliest if (place := passage.text.find(text)) >= 0), 0)
        first = last = next(n for n, (_, end) in enumerate(parts) if at < end)

        def fits(text: Passage) -> bool:
            return count(self.fenced(number, text)) <= room

        kept = _part(passage, parts[first][0], parts[last][1])
        while kept.text and not fits(kept):  # a sentence that is too long alone
            kept = _part(kept, 0, kept.text.rfind(" ", 0, len(kept.text) // 2 + 1) if " " in kept.text else 0)
        grown = bool(kept.text) and kept.end == passage.start + parts[last][1]
        while grown:
            grown = False
            for earlier, later in ((0, 1), (1, 0)):
                before, behind = first - earlier, last + later
                if before >= 0 and behind < len(parts):
                    wider = _part(passage, parts[before][0], parts[behind][1])
                    if fits(wider):
                        kept, first, last, grown = wider, before, behind, True
        return kept if kept.text else None

    def fenced(self, number: int, passage: Passage) -> str:
        """A passage between marks that its author can't have guessed; equal for equal passages, for the cache."""
        key = f"{passage.document_id}:{passage.revision}:{passage.start}:{passage.end}"
        mark = hmac.new(self.secret, key.encode(), hashlib.sha256).hexdigest()[:6]
        date = f" ({passage.date:%Y-%m-%d})" if passage.date else ""
        heading = f" - {passage.heading}" if passage.heading and passage.heading != passage.title else ""
        # the title inside as well: it is the author's, and as good a place for an order as any
        # what nobody sees in the document is no way to speak to the model, or to write a mark so that it isn't found
        held = _LIKE_A_MARK.sub("‹", seen(f"{passage.title}{heading}{date}\n{passage.text}"))
        return f"[{number}] <{mark}>\n{held}\n</{mark}>\n\n"


def _part(passage: Passage, start: int, end: int) -> Passage:
    """What stands at `start:end` of the passage's text, with the pages that it lies on."""
    begin, close = passage.start + start, passage.start + max(start, end)
    pages = list(zip(passage.pages, passage.page_starts, strict=False))
    nearest = max((at for _, at in pages if at <= begin), default=begin)
    held = [(page, at) for page, at in pages if nearest <= at < close]
    return replace(
        passage,
        text=passage.text[start : max(start, end)],
        start=begin,
        end=close,
        pages=tuple(page for page, _ in held) or passage.pages,
        page_starts=tuple(at for _, at in held) or passage.page_starts,
    )


def _bare(question: str) -> str:
    return f"Question: {question}"


def _covered(passage: Passage, given: Sequence[Passage]) -> bool:
    return any(
        p.document_id == passage.document_id
        and p.revision == passage.revision
        and p.start <= passage.start
        and passage.end <= p.end
        for p in given
    )
