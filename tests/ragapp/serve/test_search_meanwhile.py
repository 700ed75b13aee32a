"""A search waits for models, or behind what is embedded; what is taken meanwhile is not found at its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from ragapp.embed.dense import DenseEmbedder

from .conftest import Service

QUERY = "Ostrava foundry"
MCP = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-06-18"}


def by_http(client: httpx.Client) -> httpx.Response:
    return client.get("/v1/search", params={"query": QUERY})


def by_mcp(client: httpx.Client) -> httpx.Response:
    called = {"name": "search", "arguments": {"query": QUERY}}
    asked: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": called}
    return client.post("/mcp", json=asked, headers=MCP)


@pytest.mark.parametrize("search", [by_http, by_mcp])
@pytest.mark.parametrize("taken", ["group", "account"])
def test_what_is_taken_while_a_search_waits_is_not_found(
    office: Service,
    monkeypatch: pytest.MonkeyPatch,
    search: Callable[[httpx.Client], httpx.Response],
    taken: str,
) -> None:
    people = office.house.catalog.people
    ada = people.find(name="ada")
    assert ada
    whole = DenseEmbedder.encode_query
    with office.client(office.token("ada", "ask")) as client, office.signed_in("root") as root:
        assert "31 million" in search(client).text
        changes = {"group": {"groups": []}, "account": {"active": False}}

        def while_it_waits(embedder: DenseEmbedder, query: str) -> Any:
            assert root.patch(f"/v1/people/{ada.id}", json=changes[taken]).status_code == 200
            return whole(embedder, query)

        monkeypatch.setattr(DenseEmbedder, "encode_query", while_it_waits)
        reply = search(client)
        assert "31 million" not in reply.text
        assert ("travel" in reply.text) == (taken == "group"), "what everyone sees is found all the same"
