"""The tools over stdin and stdout, for agents that start their tools as programs of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.mcpserver import MCPServer
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolRequestParams, CallToolResult, ListToolsResult, PaginatedRequestParams, TextContent

from ragapp import __version__
from ragapp.app import RagApp
from ragapp.serve.mcp.desk import LocalDesk
from ragapp.serve.mcp.tools import build_server
from ragapp.serve.run import running

_GONE = "The service of this data folder doesn't answer; start it again (ragapp serve), or start ragapp mcp anew."


async def serve_folder(rag: RagApp) -> None:
    """Answer from a data folder that this process opens itself, until stdin ends."""
    desk = LocalDesk(rag)
    await build_server(lambda _: desk).run_stdio_async()


async def serve_service(data: Path) -> None:
    """Hand every call to the service that has the data folder open, until stdin ends."""
    server = bridge(data)
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def bridge(data: Path) -> Server[Any]:
    """The same tools, each call of which goes to the service. It is looked up for each, so that it may be restarted."""

    def nobody(_: object) -> Any:
        raise AssertionError("a bridge answers nothing itself")

    told: MCPServer[Any] = build_server(nobody)

    async def list_tools(_: ServerRequestContext[Any], __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=await told.list_tools())

    async def call_tool(context: ServerRequestContext[Any], asked: CallToolRequestParams) -> CallToolResult:
        found = running(data)
        try:
            return await _forwarded(found, context, asked) if found else _failed(_GONE)
        except* (httpx2.HTTPError, MCPError, OSError):
            pass
        return _failed(_GONE)

    return Server(
        "ragapp",
        version=__version__,
        instructions=told.instructions,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


async def _forwarded(
    found: tuple[str, str], context: ServerRequestContext[Any], asked: CallToolRequestParams
) -> CallToolResult:
    url, secret = found
    # an answer takes as long as it takes; the service has its own limit
    limits = httpx2.Timeout(30, read=None)
    async with (
        httpx2.AsyncClient(headers={"authorization": f"Bearer {secret}"}, timeout=limits) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client,
    ):
        return await client.call_tool(asked.name, asked.arguments, progress_callback=context.session.report_progress)


def _failed(sentence: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=sentence)], is_error=True)
