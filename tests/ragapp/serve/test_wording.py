"""Who is told what of something that went wrong: nobody but admins reads a folder's name, at no door."""

from __future__ import annotations

import ast
import importlib
import logging
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

import ingest
import ragapp
from ragapp import errors
from ragapp.errors import IndexUnavailable, RagappError, StorageFull, Unreadable
from ragapp.serve.wording import names_a_place, told, told_text

from .conftest import Service
from .test_signin_pages import fault_of, form_of, invite

TELLTALE = "/srv/quokka-vault/data"


def kinds() -> list[type[RagappError]]:
    """Every kind of error there is, in all of our modules."""
    for package in (ragapp, ingest):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if "migrations" not in module.name and not module.name.endswith("__main__"):
                try:
                    importlib.import_module(module.name)
                except ImportError:
                    continue  # of an engine or a source that isn't installed here
    found, more = [RagappError], [RagappError]
    while more:
        more = [
            kind
            for known in more
            for kind in known.__subclasses__()
            if kind.__module__.startswith(("ragapp", "ingest"))
        ]
        found += more
    return found


class TestEveryKind:
    def test_what_it_says_to_all_names_nothing_and_is_no_whole_sentence(self) -> None:
        assert len(kinds()) > 12
        for kind in kinds():
            assert kind.for_all[0].isupper() and kind.for_all[-1] not in ".;" and not names_a_place(kind.for_all), kind

    @pytest.mark.parametrize(
        "name", [name for name in vars(errors) if name.endswith(("Error", "Full", "able", "Locked"))]
    )
    def test_with_a_folder_in_it_it_is_told_to_admins_and_the_log_alone(
        self, name: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        fault: RagappError = getattr(errors, name)(f"The thing in {TELLTALE} is damaged; see {TELLTALE}/logs.")
        assert TELLTALE in told(fault, admin=True)
        with caplog.at_level(logging.WARNING):
            said = told(fault, admin=False)
        assert "quokka" not in said and "tell an admin the request id" in said and said.endswith(".")
        assert TELLTALE in caplog.text

    def test_whatever_a_raise_site_writes_of_a_path_is_found(self) -> None:
        """Each sentence of each `raise` in the code, with a path in every place that is filled in."""
        seen = 0
        for file in [*Path(ragapp.__file__).parent.rglob("*.py"), *Path(ingest.__file__).parent.rglob("*.py")]:
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if not (isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)):
                    continue
                for argument in node.exc.args:
                    if isinstance(argument, ast.JoinedStr):
                        parts = [
                            TELLTALE if isinstance(part, ast.FormattedValue) else str(getattr(part, "value", ""))
                            for part in argument.values
                        ]
                        said = told(RagappError("".join(parts)), admin=False)
                        seen += 1
                        # glued to a word a value is part of a name, and no path
                        assert "quokka" not in said or not _apart(parts), (file.name, said)
        assert seen > 100

    @given(st.text(max_size=20), st.text(max_size=20))
    def test_among_any_words(self, before: str, after: str) -> None:
        assert "quokka" not in told(RagappError(f"{before} {TELLTALE}/{after}"), admin=False)

    @pytest.mark.parametrize(
        "sentence",
        [
            "Send 3/4 of it.",
            "See https://example.org/a.",
            "The source s3://bucket/key is gone.",
            "Either and/or both.",
            "HR/Leave.pdf is damaged.",
        ],
    )
    def test_what_names_no_folder_is_told_whole(self, sentence: str) -> None:
        assert told(Unreadable(sentence), admin=False) == sentence
        assert told_text(sentence, admin=False) == sentence


def _apart(parts: list[str]) -> bool:
    text = "".join(parts)
    at = text.index(TELLTALE)
    return at == 0 or not (text[at - 1].isalnum() or text[at - 1] in "_/.")


@pytest.fixture
def broken(office: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """The office, whose index, texts and disk fail, with the names of folders in what is said."""
    house = office.house

    def fails(*_: Any, **__: Any) -> Any:
        raise IndexUnavailable(f"The index in {TELLTALE} is damaged; delete it and run ragapp doctor --repair.")

    def full(*_: Any, **__: Any) -> Any:
        raise StorageFull(f"The disk of {TELLTALE} is full; free some space.")

    monkeypatch.setattr(type(house.rag), "search", fails)
    monkeypatch.setattr(type(house.rag.files), "extracted", full)
    monkeypatch.setattr(type(house.catalog.credentials), "use_invite", full)
    yield office


class TestDoors:
    def test_http(self, broken: Service) -> None:
        document = _a_document(broken)
        for path in ("/v1/search?query=x", f"/v1/documents/{document}/text"):
            with broken.client(broken.token("bob")) as bob, broken.client(broken.token("root")) as root:
                reader, admin = bob.get(path), root.get(path)
            assert reader.status_code == admin.status_code >= 500
            assert "quokka" not in reader.text and reader.json()["request_id"] in reader.json()["detail"]
            assert "quokka" in admin.json()["detail"]

    def test_an_admin_with_a_token_for_less_is_told_less(self, broken: Service) -> None:
        with broken.client(broken.token("root", "ask")) as program:
            assert "quokka" not in program.get("/v1/search?query=x").text

    def test_the_link_and_sign_in_pages(self, broken: Service) -> None:
        link = f"/join/{invite(broken)}"
        with broken.client() as browser:
            typed = {"name": "eve", "password": "nine herons over the weir", "again": "nine herons over the weir"}
            refused = browser.post(link, data=form_of(browser.get(link)) | typed)
        assert refused.status_code == 507 and "quokka" not in refused.text
        assert "disk of the service is full" in fault_of(refused)

    def test_openai(self, broken: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("ragapp.serve.openai.grounded.prepare", _fails)
        body = {"model": "ragapp", "messages": [{"role": "user", "content": "Why?"}]}
        with broken.client(broken.token("bob")) as bob, broken.client(broken.token("root")) as root:
            reader = bob.post("/openai/v1/chat/completions", json=body)
            admin = root.post("/openai/v1/chat/completions", json=body)
        assert reader.status_code >= 500 and "quokka" not in reader.text and "tell an admin" in reader.text
        assert "quokka" in admin.text

    async def test_mcp(self, broken: Service) -> None:
        for name, knows in (("bob", False), ("root", True)):
            headers = {"authorization": f"Bearer {broken.token(name)}"}
            async with (
                httpx2.AsyncClient(headers=headers, timeout=60) as http,
                Client(streamable_http_client(f"{broken.url}/mcp", http_client=http)) as client,
            ):
                refused = await client.call_tool("search", {"query": "x"})
            said = "".join(part.text for part in refused.content)  # type: ignore[union-attr]
            assert refused.is_error and ("quokka" in said) is knows, said

    @pytest.mark.parametrize("name", ["bob", "root"])
    def test_an_answer_that_fails_its_events_and_what_is_kept_of_it(
        self, broken: Service, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def streams(*_: Any, **__: Any) -> Any:
            raise IndexUnavailable(f"The index in {TELLTALE} is damaged.")
            yield

        monkeypatch.setattr(type(broken.house.rag), "astream", streams)
        with broken.client(broken.token(name)) as asker:
            events = asker.post("/v1/answers", json={"question": "Why?", "stream": True, "new_conversation": True}).text
            whole = asker.post("/v1/answers", json={"question": "Why?"})
            kept = [row.reason for row in broken.house.catalog.conversations.all_answers(_id(broken, name))]
        assert whole.status_code == 503
        for said in (events, whole.text, *kept):
            assert ("quokka" in said) is (name == "root"), said
        assert len(kept) == 2

    def test_a_curators_jobs_and_reasons(self, office: Service) -> None:
        folder = Path(office.house.data).parent / "quokka-share"
        folder.mkdir()
        (folder / "broken.pdf").write_bytes(b"%PDF-1.7 nothing")
        office.house.rag.ingest(folder, collection="board", groups=["board"])
        with office.client(office.token("ada")) as ada, office.client(office.token("root")) as root:
            for who, knows in ((ada, False), (root, True)):
                jobs = [job for job in who.get("/v1/jobs").json() if job["collection"] == "board"]
                told_of = " ".join(job["command"] + job["reason"] for job in jobs)
                assert jobs and ("quokka" in told_of) is knows

    def test_health_and_models(self, office: Service) -> None:
        office.house.engine._say("failed", f"The model in {TELLTALE} needs 9 GiB.")
        with (
            office.client() as nobody,
            office.client(office.token("bob")) as bob,
            office.client(office.token("root")) as root,
        ):
            assert "quokka" not in nobody.get("/health/ready").text
            assert "quokka" not in bob.get("/v1/models").text
            assert "quokka" in root.get("/v1/models").text


def _fails(*_: Any, **__: Any) -> Any:
    raise IndexUnavailable(f"The index in {TELLTALE} is damaged.")


def _a_document(office: Service) -> str:
    with office.client(office.token("bob")) as bob:
        return str(bob.get("/v1/documents").json()["documents"][0]["id"])


def _id(office: Service, name: str) -> str:
    person = office.house.catalog.people.find(name=name)
    assert person
    return person.id
