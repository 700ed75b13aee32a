"""ragapp people: accounts by hand, and a person's data out or gone by one command."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest.origins.uploads import stage
from ragapp import RagApp, Settings
from ragapp.catalog.catalog import Catalog

from .conftest import Run


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog.open(tmp_path / "data")


def shown(run: Run, name: str) -> dict[str, Any]:
    return next(person for person in run("people", "list", "--json").json if person["name"] == name)


def test_an_account_and_the_link_to_its_password(run: Run, catalog: Catalog) -> None:
    ran = run("people", "add", "ada", "--groups", "board,sales", "--curates", "policies", "--quiet")
    assert ran.code == 0 and ran.out.startswith("http://127.0.0.1:8400/join/")
    assert catalog.credentials.use_invite(ran.out.strip().rpartition("/")[2]).person_id == shown(run, "ada")["id"]
    assert (shown(run, "ada")["groups"], shown(run, "ada")["curates"]) == (["board", "sales"], ["policies"])
    assert (
        run("people", "list").out == "ada  reader  groups: board, sales  looks after: policies  has no password yet\n"
    )


def test_a_new_link_voids_the_older(run: Run, catalog: Catalog) -> None:
    first = run("people", "add", "ada").out.strip()
    second = run("people", "invite", "ada", "--json").json["link"]
    with pytest.raises(Exception, match="used already"):
        catalog.credentials.invited(first.rpartition("/")[2])
    assert catalog.credentials.invited(second.rpartition("/")[2]).person_id


def test_groups_role_and_lock(run: Run, catalog: Catalog) -> None:
    run("people", "add", "ada")
    cookie = catalog.credentials.open_session(shown(run, "ada")["id"], timedelta(hours=1))[0]
    assert run("people", "groups", "ada", "--groups", "board", "--json").json["groups"] == ["board"]
    assert run("people", "groups", "ada").out.startswith("ada  reader  groups: board")
    assert run("people", "groups", "ada", "--none", "--json").json["groups"] == []
    assert run("people", "role", "ada", "admin", "--json").json["role"] == "admin"
    assert run("people", "lock", "ada", "--json").json["active"] is False
    assert catalog.credentials.session(cookie) is None
    assert run("people", "lock", "ada", "--undo", "--json").json["active"] is True


def test_a_group_that_nothing_has_is_said(run: Run, documents: Path) -> None:
    run("ingest", documents, "--groups", "board")
    assert "did you mean board?" in run("people", "add", "ada", "--groups", "bord").err
    assert run("people", "add", "bob", "--groups", "board").err == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("invite", "adda"), "did you mean ada?"),
        (("lock", "zoe"), "ragapp people list"),
        (("add", "ada"), "already"),
        (("add", "local"), "can't be an account's name"),
        (("add", " "), "can't be an account's name"),
        (("add", "x", "--groups", "conversation/1"), "can't be the name of a group"),
        (("forget", "zoe", "--yes"), "Nobody is named zoe"),
    ],
)
def test_a_fault_is_one_sentence(run: Run, arguments: tuple[str, ...], said: str) -> None:
    run("people", "add", "ada")
    ran = run("people", *arguments)
    assert (ran.code, ran.err.count("\n")) == (2, 1) and said in ran.err


def test_the_last_admin_who_can_sign_in_stays(run: Run, catalog: Catalog) -> None:
    catalog.people.add("root", role="admin", password_hash="x")
    catalog.people.add("local", role="admin")
    for arguments in (("role", "root", "reader"), ("lock", "root"), ("forget", "root", "--yes")):
        assert "the only admin" in run("people", *arguments).err
    catalog.people.add("zoe", role="admin", subject="https://login.example 1")
    assert run("people", "role", "root", "reader").code == 0


def test_nobody_yet(run: Run) -> None:
    ran = run("people", "list")
    assert (ran.code, ran.out) == (0, "") and "ragapp people add" in ran.err


class TestTheirData:
    @pytest.fixture
    def asked(self, run: Run, catalog: Catalog) -> str:
        """Ada asked something, and has a token; returns her id."""
        run("people", "add", "ada", "--display", "Ada Lovelace")
        person = shown(run, "ada")["id"]
        conversation = catalog.conversations.start(person, "About plumbing")
        catalog.conversations.ask("a1", person, conversation.id, "api", "Who mends the pipes?")
        catalog.conversations.ask("a2", person, None, "api", "Alone?")
        catalog.conversations.give_feedback("a1", False, "too long")
        catalog.credentials.add_token(person, "report", ["ask"], None)
        catalog.audit.note(person, "answer.ask", "a1")
        return str(person)

    def test_all_of_it_as_json(self, run: Run, asked: str) -> None:
        told = run("people", "export", "ada").json
        assert told["account"]["display"] == "Ada Lovelace"
        assert [row["title"] for row in told["conversations"]] == ["About plumbing"]
        assert [row["question"] for row in told["answers"]] == ["Who mends the pipes?", "Alone?"]
        assert told["answers"][0]["feedback"] == {"good": False, "reason": "too long"}
        assert [token["name"] for token in told["tokens"]] == ["report"]
        assert [row["action"] for row in told["audit"]] == ["answer.ask"]

    def test_gone_by_one_command_to_the_last_byte(self, run: Run, catalog: Catalog, asked: str, tmp_path: Path) -> None:
        ran = run("people", "forget", "ada", "--yes")
        assert ran.out == f"ada and all their data were deleted; the audit keeps the id {asked}\n"
        assert catalog.conversations.all_answers(asked) == ()
        assert catalog.credentials.tokens(asked) == ()
        assert {row.person_id for row in catalog.audit.rows(action="answer.ask")} == {asked}
        catalog.close()
        kept = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
        for words in (b"Lovelace", b"plumbing", b"mends the pipes", b"too long"):
            assert words not in kept

    def test_files_of_their_conversations_go_too(
        self, run: Run, catalog: Catalog, documents: Path, models_dir: Path, tmp_path: Path
    ) -> None:
        run("people", "add", "ada")
        person = shown(run, "ada")["id"]
        conversation = catalog.conversations.start(person, "x")
        inside = f"conversation/{conversation.id}"
        with RagApp(Settings(data=tmp_path / "data"), models_dir=models_dir) as rag:
            sent = stage(rag.settings.data / "uploads", [("office.md", (documents / "office.md").open("rb"))])
            rag.intake.do(rag.intake.note_uploads(sent, inside, frozenset({inside}), once=True))
        run("ingest", documents, "--everyone")
        (own,) = catalog.documents(collection=f"conversation/{conversation.id}")
        others = len(catalog.documents())
        catalog.conversations.attach(conversation.id, own.id, own.source, datetime.now(UTC) + timedelta(hours=1))
        assert run("people", "export", "ada").json["conversations"][0]["files"] == [own.source]
        assert run("people", "forget", "ada", "--yes", "--json").json["left"] == ""
        assert catalog.document(own.id) is None
        assert len(catalog.documents()) == others - 1


class TestPassword:
    def test_it_is_read_from_stdin_and_ends_sessions_and_if_asked_tokens(self, run: Run, catalog: Catalog) -> None:
        run("people", "add", "ada")
        ada = shown(run, "ada")["id"]
        for asked in (False, True):
            cookie = catalog.credentials.open_session(ada, timedelta(hours=1))[0]
            token = catalog.credentials.add_token(ada, "x", {"ask"}, None)[0]
            options = ["--end-tokens"] if asked else []
            ran = run("people", "password", "ada", *options, stdin=f"nine herons over the weir {asked}\n")
            assert ran.code == 0 and "herons" not in ran.out + ran.err
            assert catalog.credentials.session(cookie) is None
            assert (catalog.credentials.token(token) is None) is asked
        assert shown(run, "ada")["has_password"] is True

    @pytest.mark.parametrize("password", ["password1234", "ada ada ada ada", "short"])
    def test_one_that_is_easy_to_guess_is_refused_in_one_sentence(self, run: Run, password: str) -> None:
        run("people", "add", "ada")
        ran = run("people", "password", "ada", stdin=f"{password}\n")
        assert (ran.code, ran.err.count("\n")) == (2, 1) and "take a sentence" in ran.err
        assert shown(run, "ada")["has_password"] is False

    def test_a_new_link_ends_what_is_asked_at_once(self, run: Run, catalog: Catalog) -> None:
        run("people", "add", "ada")
        ada = shown(run, "ada")["id"]
        cookie = catalog.credentials.open_session(ada, timedelta(hours=1))[0]
        token = catalog.credentials.add_token(ada, "x", {"ask"}, None)[0]
        run("people", "invite", "ada")
        assert catalog.credentials.session(cookie) and catalog.credentials.token(token)
        run("people", "invite", "ada", "--end-sessions", "--end-tokens")
        assert catalog.credentials.session(cookie) is None and catalog.credentials.token(token) is None
