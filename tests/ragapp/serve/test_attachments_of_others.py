"""What somebody attached to a conversation is theirs: no admin, curator or command gets at it by its collection's name.

The catalog is the floor: whoever names the collection or the group of a conversation is refused there, and a row that
stands in it all the same gives nothing.
"""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from ingest.origins.uploads import stage
from ragapp.access import narrow
from ragapp.catalog.rows import OriginRow
from ragapp.cli.commands import app
from ragapp.errors import CatalogError
from ragapp.serve.asking import conversation_group
from ragapp.types import Principal

from ..test_names import SPELLED
from .conftest import Service, wait_until

SECRET = "The crane of the annex costs 12000 euro"


@pytest.fixture
def attached(office: Service) -> str:
    """The collection of a conversation of bob's, with a file in it."""
    with office.signed_in("bob") as bob:
        talk = bob.post("/v1/conversations", json={"title": "crane"}).json()["id"]
        sent = bob.post(f"/v1/conversations/{talk}/files", files={"file": ("crane.md", f"# Crane\n\n{SECRET}.")})
        assert sent.status_code == 202, sent.text
        files = f"/v1/conversations/{talk}/files"
        wait_until(lambda: bob.get(files).json()[0]["state"] == "live")
    return conversation_group(talk)


def id_of(office: Service, name: str) -> str:
    person = office.house.catalog.people.find(name=name)
    assert person
    return person.id


def read_of_it(office: Service, client: httpx.Client, collection: str) -> str:
    """All that a client is told of a collection and what is in it."""
    told = [client.get(path).text for path in ("/v1/collections", "/v1/jobs", "/v1/sources", "/v1/documents")]
    told.append(client.get("/v1/documents", params={"collection": collection}).text)
    told.append(client.get("/v1/search", params={"q": "crane annex", "collection": collection}).text)
    for row in office.house.catalog.documents(collection=collection):
        told += [client.get(f"/v1/documents/{row.id}{part}").text for part in ("", "/text", "/original", "/pages/1")]
        told.append(client.put(f"/v1/documents/{row.id}/groups", json={"groups": ["everyone"]}).text)
    for job in office.house.catalog.jobs.list(50):
        if job.request.get("collection") == collection:
            told += [client.get(f"/v1/jobs/{job.id}{part}").text for part in ("", "/files", "/events")]
    return "\n".join(told)


class TestOverHttp:
    @pytest.mark.parametrize("name", SPELLED)
    def test_nobody_is_made_to_look_after_it(self, office: Service, name: str) -> None:
        with office.signed_in("root") as admin:
            before = office.house.catalog.people.list()
            assert admin.post("/v1/people", json={"name": "eve", "curates": ["default", name]}).status_code == 422
            change = {"curates": [name], "role": "admin"}
            assert admin.patch(f"/v1/people/{id_of(office, 'bob')}", json=change).status_code == 422
            assert office.house.catalog.people.list() == before, "nothing is done by half"

    @pytest.mark.parametrize("name", SPELLED[:4])
    def test_nothing_is_put_into_it_or_shown_to_it(self, office: Service, tmp_path: Path, name: str) -> None:
        (tmp_path / "a.md").write_text("# A")
        here = str(tmp_path)
        with office.signed_in("root") as admin:
            rule = [{"pattern": "a/", "groups": [name]}]
            for path, body in (
                ("/v1/jobs", {"paths": [here], "collection": name}),
                ("/v1/jobs", {"paths": [here], "groups": [name]}),
                ("/v1/sources", {"name": "s", "url": here, "collection": name, "groups": ["everyone"]}),
                ("/v1/sources", {"name": "s", "url": here, "groups": [name]}),
                ("/v1/sources", {"name": "s", "url": here, "groups": ["everyone"], "rules": rule}),
                ("/v1/groups", {"name": name}),
            ):
                assert admin.post(path, json=body).status_code == 422, (path, body)
            put = admin.put(f"/v1/collections/{name.strip()}", json={"groups": ["everyone"]})
            assert put.status_code == 422

    def test_a_row_that_is_there_all_the_same_gives_nothing(self, office: Service, attached: str) -> None:
        ada = id_of(office, "ada")
        with closing(sqlite3.connect(office.house.data / "catalog.db")) as catalog, catalog:
            catalog.execute("INSERT INTO curators VALUES (?, ?)", (ada, attached))
            catalog.execute("INSERT INTO memberships VALUES (?, ?, 'oidc')", (ada, attached))
        with office.signed_in("ada") as client:
            me = client.get("/v1/session").json()
            assert me["curates"] == ["board"] and me["groups"] == ["board"]
            assert "12000" not in read_of_it(office, client, attached)
            assert "crane.md" not in read_of_it(office, client, attached)
        assert office.house.catalog.document(office.house.catalog.documents(collection=attached)[0].id), "it is there"

    def test_an_admin_who_narrows_to_it_finds_nothing(self, office: Service, attached: str) -> None:
        with office.signed_in("root") as client:
            told = read_of_it(office, client, attached)
            assert "12000" not in told and "crane.md" not in told


class TestOnTheCatalogsFloor:
    @pytest.mark.parametrize("name", SPELLED)
    def test_no_row_is_made(self, office: Service, name: str, tmp_path: Path) -> None:
        catalog, rag = office.house.catalog, office.house.rag
        bob = id_of(office, "bob")
        source = OriginRow("s", str(tmp_path), "default", frozenset({"everyone"}))
        hidden = OriginRow("s", str(tmp_path), "default", frozenset({"everyone"}), (("a/", frozenset({name})),))
        for refused in (
            lambda: catalog.people.curate(bob, [name]),
            lambda: catalog.people.set_groups(bob, [name]),
            lambda: catalog.people.set_groups(bob, [name], "oidc"),
            lambda: catalog.people.add("eve", groups=[name]),
            lambda: catalog.people.add_group(name),
            lambda: catalog.collection_rules.put(name, ["everyone"]),
            lambda: catalog.collection_rules.put("board", [name]),
            lambda: catalog.origins.add(OriginRow("s", str(tmp_path), name, frozenset({"everyone"}))),
            lambda: catalog.origins.add(hidden),
            lambda: catalog.origins.update(hidden),
            lambda: rag.intake.add(OriginRow("s", str(tmp_path), name, frozenset({"everyone"}))),
            lambda: rag.ingest(tmp_path, collection=name, groups=["everyone"]),
            lambda: rag.ingest(tmp_path, groups=[name]),
            lambda: rag.intake.note_paths([tmp_path], name, frozenset({"everyone"})),
            lambda: rag.intake.note_uploads(
                stage(tmp_path / "up", [("a.md", io.BytesIO(b"# A"))]), name, frozenset({"everyone"})
            ),
            lambda: rag.vectorstore(collection=name, groups=["everyone"]),
            lambda: rag.vectorstore(groups=[name]),
            lambda: rag.access.set(catalog.documents()[0].source, frozenset({name}), new_group=True),
        ):
            with pytest.raises(CatalogError, match="can't be the name of a"):
                refused()
        assert catalog.people.find(name="eve") is None and not catalog.origins.list() and source

    def test_a_python_search_narrowed_to_it_finds_nothing(self, office: Service, attached: str) -> None:
        ada = Principal("ada", frozenset({"board"}))
        assert office.house.rag.search("crane annex", principal=ada, narrowed=narrow(collections=attached)) == ()


def test_the_provider_puts_nobody_into_it() -> None:
    from ragapp.serve.standing import group_names

    assert group_names(["staff", *SPELLED]) == {"staff"}


@pytest.mark.parametrize("name", ["conversation/1", "Conversation/1"])
def test_on_the_command_line(tmp_path: Path, name: str) -> None:
    data = tmp_path / "data"
    (tmp_path / "a.md").write_text("# A")

    def refused(*arguments: str) -> None:
        done = CliRunner().invoke(app, [*arguments, "--data", str(data)])
        assert done.exit_code and "can't be the name of a" in str(done.exception), done.output

    refused("people", "add", "eve", "--curates", name)
    assert "eve" not in CliRunner().invoke(app, ["people", "list", "--data", str(data)]).output
    refused("ingest", str(tmp_path / "a.md"), "--collection", name)
    refused("sync", "add", "s", str(tmp_path), "--groups", "staff", "--collection", name)
    refused("sync", "add", "s", str(tmp_path), "--groups", name)
