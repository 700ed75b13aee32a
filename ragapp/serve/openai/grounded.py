"""Chat completions over documents: a question with its history in, a cited answer with its sources out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from http import HTTPStatus
from typing import Any

from ragapp.errors import BadQuestion, QuestionTooLong
from ragapp.serve.answer_events import AnswerEvent
from ragapp.serve.answers import Answers, Asking, LiveAnswer
from ragapp.serve.asking import handed_in, prepare
from ragapp.serve.callers import Caller
from ragapp.serve.house import House
from ragapp.serve.openai.errors import BadParameter, error_body, told, unexpected
from ragapp.serve.openai.names import scope_of
from ragapp.serve.openai.shapes import ChatIn, Message, completion_out, usage_out
from ragapp.serve.openai.streaming import DONE, Chunks, line
from ragapp.serve.problems import Refused
from ragapp.serve.readable import answer_text, ending, words_alone, written
from ragapp.serve.shapes import LONGEST_QUESTION
from ragapp.types import Turn

_FIELDS = ("citations", "passages", "nearest", "timings")
_EMPTY_USAGE = {"prompt_tokens": 0, "cached_tokens": 0, "completion_tokens": 0}


def asking(house: House, caller: Caller, asked: ChatIn) -> Asking:
    """The last message of the user as a question, the pairs before it as its history.

    Raises NoSuchModel, and BadParameter for what would change the form of an answer, which is the service's.
    """
    narrowed = scope_of(house, caller, asked.model)
    for name, given in (
        ("tools", asked.tools),
        ("response_format", asked.response_format and asked.response_format.type != "text"),
        ("stop", asked.stops),
    ):
        if given:
            raise BadParameter(
                name, f"Answers from documents take no {name}; leave it out, or name the model without documents."
            )
    question, history = question_and_history(asked.messages)
    if len(question) > LONGEST_QUESTION:
        raise QuestionTooLong(
            f"The question has {len(question)} characters, and at most {LONGEST_QUESTION} are taken; ask something "
            "shorter."
        )
    handed = partial(handed_in, house, history)
    made = prepare(house, caller, question, door="openai", narrowed=narrowed, history=handed)
    collections = sorted(narrowed.collections) if narrowed else []
    house.note(caller.person.id, "answer.ask", "", collections=collections, door="openai")
    return made


def question_and_history(messages: Sequence[Message]) -> tuple[str, tuple[Turn, ...]]:
    """The last message of the user, and the answered ones before it. Lists of sources and markers, which the answers
    had, are taken off again: they are no words of the conversation. Raises BadQuestion where the user says nothing."""
    last = max((at for at, message in enumerate(messages) if message.role == "user"), default=None)
    if last is None or not messages[last].text.strip():
        raise BadQuestion("There is no message of the user with text; the last one is the question.")
    turns: list[Turn] = []
    open_question = ""
    for message in messages[:last]:
        if message.role == "user":
            open_question = message.text
        elif message.role == "assistant" and open_question and message.text:
            turns.append(Turn(open_question, words_alone(message.text)))
            open_question = ""
    return messages[last].text, tuple(turns)


async def whole(answers: Answers, live: LiveAnswer, model: str) -> dict[str, Any]:
    """The completion, once the answer is there. Raises what the answer failed with."""
    await answers.whole(live)
    done = live.events[-1].data
    if live.error:
        raise live.error
    if live.state in ("failed", "stopped"):
        status = HTTPStatus.INTERNAL_SERVER_ERROR if live.state == "failed" else HTTPStatus.CONFLICT
        raise Refused(status, str(done["detail"]))
    message = {"role": "assistant", "content": answer_text(done), "refusal": None, "ragapp": _extension(done)}
    return completion_out(live.row.id, model, message, "stop", _usage(done))


async def chunks(answers: Answers, live: LiveAnswer, asked: ChatIn) -> AsyncGenerator[str]:
    """The completion as it comes: a piece for each sentence that was checked, then the sources."""
    made = Chunks(live.row.id, asked.model, asked.wants_usage)
    yield made.delta({"role": "assistant", "content": ""})
    first = True
    async with aclosing(answers.follow(live, live.asking.rights)) as events:
        async for event in events:
            if event.name == "sentence":
                yield made.delta({"content": written(event.data, first=first)})
                first = False
            elif event.name == "done":
                yield made.delta({"content": ending(event.data), "ragapp": _extension(event.data)})
                yield made.delta({}, "stop")
                if asked.wants_usage:
                    yield made.usage(_usage(event.data))
                yield DONE
            elif event.name == "error":
                yield line(_failed(live, event))


def _failed(live: LiveAnswer, event: AnswerEvent) -> dict[str, Any]:
    if live.error:
        return told(live.error, admin=live.asking.admin)[1]
    return error_body(HTTPStatus.CONFLICT, event.data["detail"]) if live.state == "stopped" else unexpected()


def _extension(done: Mapping[str, Any]) -> dict[str, Any]:
    return {"answer_id": done["id"], "state": done["state"]} | {name: done[name] for name in _FIELDS}


def _usage(done: Mapping[str, Any]) -> dict[str, Any]:
    used = done["usage"] or _EMPTY_USAGE
    return usage_out(used["prompt_tokens"], used["cached_tokens"], used["completion_tokens"])
