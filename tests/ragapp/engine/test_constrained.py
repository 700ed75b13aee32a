"""JSON that was cut off anywhere can be ended so that it is whole and fits its schema."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.utils.function_calling import convert_to_json_schema
from pydantic import BaseModel, ConfigDict, Field

from ragapp.engine.constrained import ending, fit, smallest

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer", "minimum": 18},
        "mood": {"enum": ["glad", "gloomy", "calm"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "boss": {
            "anyOf": [
                {"type": "object", "properties": {"id": {"type": "number"}}, "required": ["id"]},
                {"type": "null"},
            ]
        },
        "remote": {"type": "boolean"},
    },
    "required": ["name", "age", "mood", "tags", "boss", "remote"],
}
people = st.fixed_dictionaries(
    {
        "name": st.text(max_size=8),
        "age": st.integers(18, 99),
        "mood": st.sampled_from(["glad", "gloomy", "calm"]),
        "tags": st.lists(st.text(max_size=4), max_size=3),
        "boss": st.none() | st.fixed_dictionaries({"id": st.integers(-5, 5) | st.floats(-9, 9)}),
        "remote": st.booleans(),
    }
)


def _fits(person: dict[str, Any]) -> bool:
    return (
        isinstance(person["name"], str)
        and isinstance(person["age"], int)
        and person["mood"] in ("glad", "gloomy", "calm")
        and all(isinstance(tag, str) for tag in person["tags"])
        and (person["boss"] is None or isinstance(person["boss"]["id"], int | float))
        and isinstance(person["remote"], bool)
        and set(person) == set(PERSON["properties"])
    )


@given(person=people, cut=st.integers(min_value=0), ascii_only=st.booleans())
def test_json_cut_off_anywhere_is_ended_to_a_whole_one(person: dict[str, Any], cut: int, ascii_only: bool) -> None:
    whole = json.dumps(person, ensure_ascii=ascii_only)
    begun = whole[: cut % (len(whole) + 1)]
    assert _fits(json.loads(begun + ending(begun, PERSON)))


@given(person=people)
def test_whole_json_needs_no_ending(person: dict[str, Any]) -> None:
    assert ending(json.dumps(person), PERSON) == ""


@pytest.mark.parametrize(
    ("begun", "whole"),
    [
        ("", '{"name": "", "arguments": {}}'),
        ('{"name": "b', '{"name": "beta", "arguments": {"x": 0}}'),
        ('{"name": "beta", "arguments": {"x": 4', '{"name": "beta", "arguments": {"x": 4}}'),
        ('{"name": "alpha", "argu', '{"name": "alpha", "arguments": {}}'),
    ],
)
def test_of_several_tools_the_one_that_was_begun_is_ended(begun: str, whole: str) -> None:
    calls = [
        {
            "type": "object",
            "properties": {"name": {"const": name}, "arguments": arguments},
            "required": ["name", "arguments"],
        }
        for name, arguments in (
            ("alpha", {"type": "object", "properties": {}}),
            ("beta", {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}),
        )
    ]
    ended = json.loads(begun + ending(begun, {"anyOf": calls}))
    expected = json.loads(whole)
    assert ended == (expected | {"name": "alpha"} if not begun else expected)


class Step(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str = Field(min_length=3)
    kind: Literal["walk", "ride"]
    done: Literal[True] | None = None


class Plan(BaseModel):
    """Of everything that a schema may ask for, something."""

    model_config = ConfigDict(extra="forbid")

    counts: dict[str, int]
    steps_by_name: dict[str, Step] = {}
    pair: Annotated[list[int], Field(min_length=2)]
    place: tuple[int, str]
    score: Literal[1, 20, 3]
    days: int = Field(ge=3)
    floor: int = Field(gt=-40, le=-12)
    year: int = Field(ge=1995, le=2026)
    fifth: int = Field(ge=10, multiple_of=5)
    share: float = Field(gt=0, lt=1)
    steps: list[Step] = Field(min_length=1)
    either: int | Literal["all"] | list[str]


PLAN = Plan(
    counts={"k": 1, "lé": -20},
    steps_by_name={"a": Step(title="Go on", kind="ride", done=True)},
    pair=[12, 3, 45],
    place=(7, 'Ulm 😀 "x"'),
    score=20,
    days=12,
    floor=-23,
    year=2007,
    fifth=125,
    share=0.05,
    steps=[Step(title="First", kind="walk"), Step(title="Then \\ 😀", kind="ride")],
    either=["a", "b"],
)


@pytest.mark.parametrize("ascii_only", [False, True])
def test_a_model_cut_off_anywhere_is_ended_to_a_valid_one(ascii_only: bool) -> None:
    schema = fit(convert_to_json_schema(Plan), 50)
    whole = json.dumps(PLAN.model_dump(), ensure_ascii=ascii_only)
    for cut in range(len(whole) + 1):
        begun = whole[:cut]
        Plan.model_validate(json.loads(begun + ending(begun, schema)))


@pytest.mark.parametrize(
    ("begun", "bounds", "whole"),
    [
        ("1", {"minimum": 3}, "10"),
        ("4", {"minimum": 3}, "4"),
        ("2", {"minimum": 25, "maximum": 28}, "25"),
        ("2", {"exclusiveMinimum": 25, "maximum": 28}, "26"),
        ("-", {"maximum": -3}, "-9"),
        ("0", {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.1}, "0.01"),
        ("1e", {"type": "number"}, "1e0"),
        ("9" * 400, {}, "9" * 400),
    ],
)
def test_a_number_that_was_cut_off_is_ended_within_its_bounds(begun: str, bounds: dict[str, Any], whole: str) -> None:
    assert begun + ending(begun, {"type": "integer"} | bounds) == whole


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string", "minLength": 2}, "  "),
        ({"type": "integer", "minimum": 0.5, "maximum": 1.5}, 1),
        ({"type": "integer", "minimum": 7, "multipleOf": 5}, 10),
        ({"type": "integer", "maximum": -7, "multipleOf": 5}, -10),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
        ({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2}, [0, ""]),
        ({"type": "integer", "minimum": 7}, 7),
        ({"type": "integer", "exclusiveMaximum": -3}, -4),
        ({"enum": ["long one", "x"]}, "x"),
        ({"const": 3}, 3),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 2}, [False, False]),
        ({"anyOf": [{"type": "string", "minLength": 9}, {"type": "null"}]}, None),
        ({"type": "object", "properties": {"a": {"type": "string"}, "b": {}}, "required": ["a"]}, {"a": ""}),
    ],
)
def test_the_smallest_value_of_a_schema(schema: dict[str, Any], value: Any) -> None:
    assert smallest(schema) == value


def test_fitting_bounds_open_strings_only_and_resolves_references() -> None:
    schema = {
        "$defs": {"Place": {"type": "object", "properties": {"town": {"type": "string"}}}},
        "type": "object",
        "properties": {
            "place": {"$ref": "#/$defs/Place"},
            "code": {"type": "string", "pattern": "[A-Z]+"},
            "type": {"type": "string", "maxLength": 3},
        },
    }
    fitted = fit(schema, 50)
    assert fitted["properties"]["place"]["properties"]["town"]["maxLength"] == 50
    assert fitted["properties"]["code"] == schema["properties"]["code"]  # type: ignore[index]
    assert fitted["properties"]["type"]["maxLength"] == 3
    assert "$defs" not in fitted
