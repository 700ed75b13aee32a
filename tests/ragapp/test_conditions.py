"""What a filter says, read once; what can't be understood, or would cost too much, is refused in a sentence."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import pytest

from ragapp.conditions import DEEPEST, LONGEST, MOST_VALUES, Between, Every, Not, OneOf, Some, read_filter
from ragapp.errors import BadQuestion


def nested(depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {"a": 1}
    for _ in range(depth):
        made = {"$and": [made]}
    return made


def test_conditions_are_read_as_they_are_meant() -> None:
    assert read_filter({"a": "x"}) == OneOf("a", ("x",))
    assert read_filter({"a": ["x", 2]}) == read_filter({"a": {"$in": ["x", 2]}}) == OneOf("a", ("x", 2))
    assert read_filter({"a": {"$ne": True}}) == Not(OneOf("a", (True,)))
    assert read_filter({"a": {"$gte": 1, "$lt": 2.5}}) == Every((Between("a", gte=1), Between("a", lt=2.5)))
    assert read_filter({"$or": [{"a": 1}, {"b": 2}]}) == Some((OneOf("a", (1,)), OneOf("b", (2,))))
    assert read_filter(nested(DEEPEST - 1))
    assert read_filter({"a": list(range(MOST_VALUES))})


@pytest.mark.parametrize(
    "wrong",
    [
        None, "a = 1", [("a", 1)], {}, {"a": {}}, {"a": []}, {"a": {"$in": []}}, {"a": {"$nin": []}}, {"$and": []},
        {"$or": []}, {"$or": {}}, {"$or": "ab"}, {"$or": [{}]}, {"$not": {"a": 1}}, {"$where": "1"},
        {"a": {"$regex": "x"}},
        {"a": {"b": 1}}, {"a": {"$in": "xy"}}, {"a": {"$eq": ["x"]}}, {"a": {"$ne": ["x"]}}, {"a": {"$gt": "2024"}},
        {"a": {"$gt": True}}, {"a": {"$lt": None}}, {"a": None}, {"a": object()}, {"a": date(2024, 1, 1)},
        {"a": math.nan}, {"a": math.inf}, {"a": 2**53 + 1}, {"a": "x" * (LONGEST + 1)}, {"a": "\ud800"}, {"a": [["x"]]},
        {1: "x"}, {"": "x"}, {"a..b": "x"}, {'a"b': "x"}, {"a\\": "x"}, {"a\n": "x"}, {"\ud800": "x"}, {"x" * 201: "x"},
        {"groups": "hr"}, {"groups": {"$ne": "x"}}, {"groups.x": "hr"}, {"$or": [{"a": 1}, {"groups": ["hr"]}]},
        nested(DEEPEST), nested(2000), {"a": list(range(MOST_VALUES + 1))},
        {"$or": [{f"f{number}": number} for number in range(MOST_VALUES + 1)]},
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused_in_one_sentence(wrong: Any) -> None:
    with pytest.raises(BadQuestion) as said:
        read_filter(wrong)
    assert str(said.value).endswith(".") and "\n" not in str(said.value) and len(str(said.value)) < 400
