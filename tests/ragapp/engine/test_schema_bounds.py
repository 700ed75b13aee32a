"""A schema of a few lines that stands for gigabytes is refused by name of the limit, in time that the limit bounds."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.utils.function_calling import convert_to_json_schema
from pydantic import BaseModel

from ragapp.engine import schema_bounds
from ragapp.engine.chat import ChatVllm
from ragapp.engine.constrained import fit, smallest
from ragapp.engine.schema_bounds import Allowance, pattern_fits, whole
from ragapp.engine.toolcalls import call_schema
from ragapp.engine.vllm import VllmEngine
from ragapp.errors import TooCostly
from ragapp.settings import ChatSettings, EngineSettings

INTEGER = {"type": "integer"}


def doubling(times: int) -> dict[str, Any]:
    """References that double so often."""
    halves = {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(times)}
    return {"$defs": halves | {f"a{times}": INTEGER}, "$ref": "#/$defs/a0"}


def each_names_all(count: int) -> dict[str, Any]:
    """Definitions that each refer to all: as many ways through them as there are orders."""
    names = [f"a{n}" for n in range(count)]
    every = [{"$ref": f"#/$defs/{name}"} for name in names]
    return {"$defs": {name: {"anyOf": every} for name in names}, "$ref": "#/$defs/a0"}


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = INTEGER
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


def lists(*counts: int, key: str = "maxItems") -> dict[str, Any]:
    schema: dict[str, Any] = INTEGER
    for count in counts:
        schema = {"type": "array", "items": schema, key: count}
    return schema


REFUSED = {
    "depth of more than 48": nested(100_000),
    "objects and lists": doubling(14),
    "references written out": each_names_all(12),
    "size of 70": {"type": "integer", "description": "x" * 70_000},
    "minLength of 1000000000": {"type": "string", "minLength": 10**9},
    "maxItems of 100001": lists(100_001),
    "maxItems of a number of": lists(10**400),
    "product of counts within one another of 10000000": lists(1000, 1000, 10),
    "shortest value of about": lists(1000, 1000, key="minItems"),
    "product of named keys": {"properties": {f"k{n}": INTEGER for n in range(300)}, "maxProperties": 150},
    "enum of 2001 values": {"enum": list(range(2001))},
    "pattern with a length of 1001": {"type": "string", "pattern": "a" * 1001},
    "pattern with a size of": {"type": "string", "pattern": "([a-z]{1000}){1000}"},
    "maximum of inf": {"type": "number", "maximum": float("inf")},
    "minimum of a number of": {"type": "integer", "minimum": -(10**300)},
}


@pytest.mark.parametrize("limit", REFUSED)
def test_what_is_beyond_a_limit_is_refused_in_one_sentence_that_names_it(limit: str) -> None:
    schema = REFUSED[limit]
    named = {"references written out": "once its references are written out"}.get(limit, limit)
    for door in (whole, lambda each: fit(each, 50), lambda each: call_schema([tool("one", each)], 50)):
        with pytest.raises(TooCostly) as refused:
            door(schema)
        said = str(refused.value)
        assert named in said and "make it smaller" in said and "\n" not in said and len(said) < 250


def test_within_the_limits_each_is_taken() -> None:
    for schema in (
        nested(20), doubling(8), lists(1000, 1000), lists(10, 100, key="minItems"), each_names_all(4),
        {"enum": list(range(2000))}, {"type": "string", "pattern": "^[a-z]{3,40}$", "maxLength": 65_535},
        {"properties": {f"k{n}": INTEGER for n in range(300)}}, {"type": "number", "minimum": -1e100},
    ):  # fmt: skip
        assert smallest(fit(schema, 50)) is not NotImplemented


def tool(name: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def test_tools_share_one_allowance() -> None:
    parameters = {"type": "object", "properties": {f"p{n}": lists(3) for n in range(20)}}
    assert call_schema([tool(f"t{n}", parameters) for n in range(40)], 50)
    with pytest.raises(TooCostly, match=r"tools' schemas together"):
        call_schema([tool(f"t{n}", parameters) for n in range(127)], 50)
    with pytest.raises(TooCostly, match="number of tools of 129"):
        call_schema([tool(f"t{n}", {}) for n in range(129)], 50)


@pytest.mark.parametrize("schema", [doubling(14), each_names_all(14), {"anyOf": [{"$ref": "#"}] * 900}])
def test_the_work_is_bounded_however_large_what_is_meant_would_be(schema: dict[str, Any]) -> None:
    allowance = Allowance()
    with pytest.raises(TooCostly):
        whole(schema, allowance)
    assert allowance.parts <= schema_bounds.MOST_PARTS + 1


def test_a_reference_out_of_the_schema_or_to_nowhere_is_refused() -> None:
    for reference in ("http://127.0.0.1:9/a.json", "other.json#/a", "#/no", "#/$defs/0/1", 3):
        with pytest.raises(ValueError, match="reference"):
            whole({"$defs": {}, "$ref": reference})


def test_names_that_are_keywords_are_names() -> None:
    schema = {
        "type": "object",
        "properties": {
            "enum": {"$ref": "#/$defs/a"},
            "$ref": {"type": "string"},
            "const": INTEGER,
            "required": INTEGER,
        },
        "$defs": {"a": INTEGER},
    }
    assert whole(schema)["properties"] == {
        "enum": INTEGER, "$ref": {"type": "string"}, "const": INTEGER, "required": INTEGER,
    }  # fmt: skip


class Leaf(BaseModel):
    word: str


class Branch(BaseModel):
    leaves: list[Leaf]
    other: Leaf | None = None
    inner: Branch | None = None


def test_references_are_written_out_as_langchain_writes_them() -> None:
    from langchain_core.utils.json_schema import dereference_refs

    schema = convert_to_json_schema(Branch)
    theirs = dereference_refs(schema)
    assert whole(schema) == {key: value for key, value in theirs.items() if key != "$defs"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "items",
                    "properties",
                    "$ref",
                    "$defs",
                    "enum",
                    "anyOf",
                    "minItems",
                    "pattern",
                    "maximum",
                    "required",
                ]
            ),
            inner | st.sampled_from(["#", "#/$defs", "array", "object", "string"]),
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(schema=st.dictionaries(st.sampled_from(["items", "anyOf", "properties", "$ref", "$defs"]), json_values))
def test_whatever_is_given_is_written_out_or_refused(schema: dict[str, Any]) -> None:
    # what a request's door says as one sentence
    with contextlib.suppress(TooCostly, ValueError, TypeError, AttributeError):
        assert isinstance(json.dumps(whole(schema)), str)


@pytest.mark.parametrize(
    ("pattern", "size"),
    [
        ("abc", 3),
        ("[a-z]{1000}", 1000),
        ("a(bc){3,}d{2,5}", 12),
        (r"[]a]{3}\({2}", 5),
        ("x{", 2),
        ("((a{9}){9}){9}", 729),
    ],
)
def test_patterns_are_counted_as_they_are_written_out(pattern: str, size: int) -> None:
    assert schema_bounds._written_out(pattern) == size
    pattern_fits(pattern)


async def test_langchains_structured_output_and_tools_have_the_same_bounds(chat_folder: Path) -> None:
    engine = VllmEngine(chat_folder, EngineSettings(), ChatSettings())
    chat = ChatVllm(engine=engine)
    wanted = {"title": "Wanted", "type": "object", "properties": {"a": lists(1000, 1000, 10)}, "required": ["a"]}
    for model in (
        chat.with_structured_output(wanted),
        chat.bind(response_schema=doubling(14)),
        chat.bind_tools([tool("one", wanted)]),
        chat.bind_tools([tool("one", wanted)], tool_choice="any"),
        chat.bind(regex="([a-z]{1000}){1000}"),
    ):
        with pytest.raises(TooCostly):
            model.invoke("x")
        with pytest.raises(TooCostly):
            await model.ainvoke("x")
    assert engine.health().state == "stopped", "nothing was started for it"
