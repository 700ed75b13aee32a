"""A document that says something nobody sees: no door hands it to a reader or a model unmarked; quotes stay exact."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from typer.testing import CliRunner

from ragapp.cli.commands import app
from ragapp.serve.run import told

from ..answer.test_unseen import INVISIBLE, TAGS
from .conftest import Service

BODY = f"The Krenvolt pump costs 12 euro.{TAGS} Its invoice is \u202efdp.exe\u202c and \u3164 ready."


@pytest.fixture
def smuggled(office: Service, tmp_path: Path) -> Service:
    """The office with a file whose title and text hold what isn't seen."""
    folder = tmp_path / "smuggled"
    folder.mkdir()
    (folder / "pump.md").write_text(f"# Krenvolt{TAGS} \u202eplan\n\n{BODY}\n")
    report = office.house.rag.ingest(folder, groups=["everyone"])
    assert report.added == 1
    return office


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for held in value.values() for text in texts(held)]
    if isinstance(value, list):
        return [text for held in value for text in texts(held)]
    return [value] if isinstance(value, str) else []


def test_http_marks_names_and_keeps_the_text_that_is_cited(smuggled: Service) -> None:
    with smuggled.client(smuggled.token("bob")) as bob:
        found = bob.get("/v1/search", params={"query": "Krenvolt pump"}).json()["passages"][0]
        assert TAGS in found["text"], "machines read positions in it"
        read = bob.get(f"/v1/documents/{found['document_id']}/text").json()
        assert read["text"][found["start"] : found["end"]] == found["text"]
        for name in ("title", "heading", "source"):
            assert not INVISIBLE.search(found[name]), name
        assert "‹U+202E›" in found["title"] + found["heading"]
        assert not INVISIBLE.search(bob.get(f"/v1/documents/{found['document_id']}").json()["title"])


async def test_mcp_tells_nothing_unseen(smuggled: Service) -> None:
    headers = {"authorization": f"Bearer {smuggled.token('bob', 'ask')}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=120) as http,
        Client(streamable_http_client(f"{smuggled.url}/mcp", http_client=http)) as client,
    ):
        found = await client.call_tool("search", {"query": "Krenvolt pump"})
        assert found.structured_content
        document = found.structured_content["passages"][0]["document_id"]
        read = await client.call_tool("read_document", {"document_id": document})
    for answer in (found, read):
        said = [*(part.text for part in answer.content), *texts(answer.structured_content)]  # type: ignore[union-attr]
        assert any("‹U+E0069 and 24 more" in text for text in said)
        for text in said:
            assert not INVISIBLE.search(text), ascii(text)


def test_the_terminal_shows_nothing_unseen_and_json_stays_exact(smuggled: Service) -> None:
    with told(smuggled.house.data, smuggled.url, smuggled.house.handover_secret):
        for more in ((), ("--json",)):
            command = ["search", "Krenvolt pump", "--quiet", "--data", str(smuggled.house.data), *more]
            done = CliRunner().invoke(app, command)
            assert done.exit_code == 0 and "Krenvolt" in done.stdout, done.output
            assert not INVISIBLE.search(done.stdout), ascii(done.stdout)
    assert TAGS in json.loads(done.stdout)["passages"][0]["text"]


LOOKALIKES = ["ada\u200b", "ada\u202e", f"ada{TAGS}", "ada\u3164", "a\u00adda", "ada\ufe0f"]


@pytest.mark.parametrize("name", LOOKALIKES)
def test_no_account_group_or_collection_has_a_name_that_looks_like_another(office: Service, name: str) -> None:
    with office.client(office.token("root")) as root:
        for refused in (
            root.post("/v1/people", json={"name": name}),
            root.post("/v1/people", json={"name": "eve", "groups": [name]}),
            root.post("/v1/groups", json={"name": name}),
            root.put("/v1/collections/new", json={"groups": [name]}),
        ):
            assert refused.status_code == 422 and not INVISIBLE.search(refused.json()["detail"]), refused.text
        assert [each["name"] for each in root.get("/v1/people").json() if each["name"] != "local"] == [
            "ada",
            "bob",
            "root",
        ]


def test_names_that_need_a_joiner_are_names(office: Service) -> None:
    with office.client(office.token("root")) as root:
        assert root.post("/v1/groups", json={"name": "هیئت\u200cمدیره"}).status_code == 201


def test_a_collection_s_title_says_nothing_unseen(office: Service) -> None:
    with office.signed_in("root") as root, office.signed_in("bob") as bob:
        refused = root.put("/v1/collections/default", json={"groups": ["everyone"], "title": "Of \u202eeverybody"})
        assert refused.status_code == 422 and "aren't seen" in refused.json()["detail"]
        # as an older version kept it
        office.house.catalog.collection_rules.put("default", ["everyone"], "Of \u202eeverybody")
        (told_of,) = (each for each in bob.get("/v1/collections").json() if each["name"] == "default")
        assert told_of["title"] == "Of ‹U+202E›everybody"


@pytest.mark.parametrize("group", ["bo\u202eard", "board\u200b", "staff,bo\u2066ard"])
def test_the_command_line_takes_no_group_that_looks_like_another(tmp_path: Path, group: str) -> None:
    memo = tmp_path / "memo.md"
    memo.write_text("# Memo\n\nThe kiln is sold.\n")
    data = str(tmp_path / "data")
    refused = CliRunner().invoke(app, ["ingest", str(memo), "--groups", group, "--data", data])
    assert refused.exit_code == 2 and "characters that aren't seen" in " ".join(refused.output.replace("│", "").split())
    assert not (tmp_path / "data" / "catalog.db").exists()
