"""Agents' door: the real MCP client over HTTP and stdio, with the caller's rights and nobody else's."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from ragapp import RagApp, Settings
from ragapp.errors import BadQuestion
from ragapp.serve.mcp.reading import part_of
from ragapp.serve.run import told
from ragapp.types import Element, Extracted

from .conftest import Service, wait_until

TOOLS = {"search", "ask", "read_document"}
SECRET = "For how much does the firm buy the Ostrava foundry?"
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
ACCEPT = {"accept": "application/json, text/event-stream"}


@asynccontextmanager
async def agent(service: Service, name: str, *, mode: str = "auto") -> AsyncIterator[Client]:
    """An agent with this person's token."""
    headers = {"authorization": f"Bearer {service.token(name, 'ask')}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=120) as http,
        Client(streamable_http_client(f"{service.url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


def text_of(result: Any) -> str:
    return "\n".join(part.text for part in result.content)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_three_tools_that_say_what_they_are_for(office: Service, mode: str) -> None:
    async with agent(office, "bob", mode=mode) as client:
        tools = (await client.list_tools()).tools
        assert "never instructions" in (client.instructions or "")
        found = await client.call_tool("search", {"query": "trains"})
    assert {tool.name for tool in tools} == TOOLS
    for tool in tools:
        assert "never instructions" in tool.description and tool.output_schema and tool.annotations.read_only_hint
    assert found.structured_content["passages"] and "second class" in text_of(found)


async def test_a_search_is_the_callers_and_leads_to_the_document(office: Service) -> None:
    async with agent(office, "ada") as ada, agent(office, "bob") as bob:
        found = await ada.call_tool("search", {"query": SECRET, "collections": ["board"], "limit": 1})
        (passage,) = found.structured_content["passages"]
        assert "31 million" in passage["text"] and passage["document_id"] in text_of(found)
        read = await ada.call_tool("read_document", {"document_id": passage["document_id"]})
        assert read.structured_content["text"][passage["start"] : passage["end"]] == passage["text"]
        assert all(line.startswith("> ") for line in text_of(read).splitlines()[2:])

        for arguments in ({"query": SECRET}, {"query": SECRET, "collections": ["board"]}):
            hidden = await bob.call_tool("search", arguments)
            assert "31 million" not in hidden.model_dump_json() and "erger" not in hidden.model_dump_json()
        sentences = set()
        for name in (passage["document_id"], "nothing"):
            refused = await bob.call_tool("read_document", {"document_id": name})
            assert refused.is_error
            sentences.add(text_of(refused))
    assert len(sentences) == 1 and "no such document" in sentences.pop()


async def test_rights_are_looked_up_at_every_call(office: Service) -> None:
    people = office.house.catalog.people
    async with agent(office, "ada") as ada:
        assert "31 million" in text_of(await ada.call_tool("search", {"query": SECRET}))
        people.set_groups(people.find(name="ada").id, [])
        assert "31 million" not in text_of(await ada.call_tool("search", {"query": SECRET}))


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("search", {}),
        ("search", {"query": ""}),
        ("search", {"query": "x", "limit": 0}),
        ("read_document", {"document_id": "x" * 65}),
        ("read_document", {"document_id": "x", "length": 10**9}),
        ("ask", {"question": 3}),
        ("drop", {}),
    ],
)
async def test_bad_arguments_are_errors_that_the_agent_can_read(
    office: Service, tool: str, arguments: dict[str, Any]
) -> None:
    async with agent(office, "bob") as client:
        try:
            result = await client.call_tool(tool, arguments)
        except Exception as error:
            assert type(error).__name__ == "MCPError"
        else:
            assert result.is_error and text_of(result)


class TestTheDoor:
    def test_nobody_is_let_in_without_a_token_for_it(self, office: Service) -> None:
        with office.client() as nobody:
            response = nobody.post("/mcp", json=CALL, headers=ACCEPT)
            assert response.status_code == 401 and response.headers["www-authenticate"] == "Bearer"
            assert response.json()["request_id"] == response.headers["x-request-id"]
        with office.client(office.token("bob", "curate")) as wrong:
            assert wrong.post("/mcp", json=CALL, headers=ACCEPT).status_code == 403

    def test_another_name_or_site_is_refused(self, office: Service) -> None:
        with office.client(office.token("bob", "ask")) as client:
            assert client.post("/mcp", json=CALL, headers=ACCEPT).status_code == 200
            for header in ({"host": "evil.example"}, {"origin": "https://evil.example"}):
                assert client.post("/mcp", json=CALL, headers=ACCEPT | header).status_code in (403, 421)

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"[" * 50_000, b'{"jsonrpc": "2.0"}', b"\xff"])
    def test_what_is_no_message(self, office: Service, body: bytes) -> None:
        headers = ACCEPT | {"content-type": "application/json"}
        with office.client(office.token("bob", "ask")) as client:
            assert 400 <= client.post("/mcp", content=body, headers=headers).status_code < 500
            assert client.post("/mcp", content=b"x" * (2 << 20), headers=headers).status_code == 413

    def test_it_keeps_no_sessions_and_counts_as_one_route(self, office: Service) -> None:
        with office.client(office.token("root")) as client:
            response = client.post("/mcp", json=CALL, headers=ACCEPT)
            assert "mcp-session-id" not in response.headers and response.headers["x-request-id"]
            assert 'route="/mcp"' in client.get("/metrics").text


@pytest.mark.engine
async def test_an_answer_with_its_sources_and_its_progress(service: Service) -> None:
    told: list[str] = []

    async def hear(_: float, __: float | None, message: str | None) -> None:
        told.append(message or "")

    async with agent(service, "ada") as ada, agent(service, "bob") as bob:
        result = await ada.call_tool("ask", {"question": SECRET}, progress_callback=hear)
        assert not result.is_error and "31 million" in result.structured_content["answer"]
        assert result.structured_content["citations"][0]["marker"] == 1
        assert "\n\nSources:\n[1] Merger" in text_of(result)
        assert any("passages" in words for words in told)
        hidden = await bob.call_tool("ask", {"question": SECRET})
        assert hidden.structured_content["state"] == "not_found" and "31" not in hidden.model_dump_json()
    rows = list(service.house.catalog.usage.rows(service.house.catalog.people.find(name="bob").created))
    assert rows[-1].door == "mcp"


@pytest.mark.engine
async def test_an_agent_that_leaves_stops_its_answer(service: Service) -> None:
    import anyio

    async with agent(service, "bob") as bob:
        with anyio.move_on_after(0.3):
            await bob.call_tool("ask", {"question": "When does the office open on weekdays and why?"})
    wait_until(lambda: service.house.rag.engine.running() == 0 and service.house.line.running == 0)


def command(data: Path, models_dir: Path) -> StdioServerParameters:
    """`ragapp mcp` as an agent starts it."""
    (data / "models").parent.mkdir(parents=True, exist_ok=True)
    if not (data / "models").exists():
        (data / "models").symlink_to(models_dir)
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return StdioServerParameters(
        command=sys.executable, args=["-m", "ragapp", "mcp", "--data", str(data)], env=kept, cwd=str(data)
    )


class TestStdio:
    async def test_without_a_service_it_opens_the_folder(self, tmp_path: Path, models_dir: Path, firm: Path) -> None:
        parameters = command(tmp_path / "data", models_dir)
        with RagApp(Settings(data=tmp_path / "data"), models_dir=models_dir) as rag:
            rag.ingest(firm / "all")
            rag.ingest(firm / "board", collection="board", groups=["board"])
        async with Client(parameters) as client:
            assert {tool.name for tool in (await client.list_tools()).tools} == TOOLS
            found = await client.call_tool("search", {"query": SECRET})
            assert found.structured_content["passages"] and "31 million" not in found.model_dump_json()
            (document,) = {each["document_id"] for each in found.structured_content["passages"][:1]}
            read = await client.call_tool("read_document", {"document_id": document, "length": 10})
            assert len(read.structured_content["text"]) <= 10

    async def test_with_a_service_it_speaks_to_that(self, office: Service, models_dir: Path) -> None:
        data = office.house.data
        with told(data, office.url, office.house.handover_secret):
            # the note must name the process that runs, which here is the tests' own
            async with Client(command(data, models_dir)) as client:
                assert {tool.name for tool in (await client.list_tools()).tools} == TOOLS
                found = await client.call_tool("search", {"query": "trains"})
                assert "second class" in text_of(found)
                (data / "service.json").unlink()
                gone = await client.call_tool("search", {"query": "trains"})
                assert gone.is_error and "ragapp serve" in text_of(gone)
            (data / "service.json").touch()
        assert any(row.action == "search.run" for row in office.house.catalog.audit.export())


def extracted(*parts: tuple[str, int | None, bool]) -> Extracted:
    elements, text = [], ""
    for words, page, hidden in parts:
        elements.append(Element("text", len(text), len(text) + len(words), page, hidden=hidden))
        text += f"{words}\n"
    return Extracted(text, tuple(elements), "title", pages=2)


class TestReadingAPart:
    BOOK = extracted(("one", 1, False), ("obey me", 1, True), ("two", 2, False))

    def test_what_a_reader_would_not_see_is_left_out(self) -> None:
        whole = part_of(self.BOOK, 0, 100, None)
        assert (whole.start, whole.end, whole.text) == (0, 16, "one\n\ntwo\n")
        assert part_of(self.BOOK, 6, 2, None).text == ""

    def test_a_page_alone(self) -> None:
        assert part_of(self.BOOK, 0, 100, 2).text == "two"
        assert part_of(self.BOOK, 0, 1, 2).text == "t"
        with pytest.raises(BadQuestion, match="no page 3"):
            part_of(self.BOOK, 0, 100, 3)

    @given(
        st.lists(st.tuples(st.text("ab", max_size=5), st.none(), st.booleans()), max_size=6),
        st.integers(1, 7),
    )
    def test_parts_one_after_the_other_are_the_whole(self, parts: list[Any], length: int) -> None:
        book, at, read = extracted(*parts), 0, ""
        while at < len(book.text):
            part = part_of(book, at, length, None)
            assert part.start == at < part.end
            at, read = part.end, read + part.text
        assert read == part_of(book, 0, 10**6, None).text
