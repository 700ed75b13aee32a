"""What `filter=` takes: conditions on the metadata of what a search brings. What isn't understood is refused.

    {"team": "valves"}                        is it, or has it among several
    {"team": ["valves", "hoses"]}             any of them, as {"team": {"$in": […]}}
    {"year": {"$gte": 2024, "$lt": 2026}}     all that are named
    {"$or": [{"draft": False}, {"by": "ida"}]}

A name with dots also means what is nested. A condition never speaks of who may see what: that comes from whoever asks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ragapp.errors import BadQuestion

Value = str | int | float | bool

MOST_VALUES = 200
"""Values in one filter, all conditions together: an index looks at each for every chunk that it considers."""
DEEPEST = 6
"""Conditions within conditions."""
LONGEST = 1000
"""Characters of a text that is compared."""
_LONGEST_NAME = 200
_EXACT = 2**53
"""The largest whole number that both engines compare exactly."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """The field is one of these values, or has one of them among several."""

    field: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """The field is a number within these bounds."""

    field: str
    gte: float | None = None
    gt: float | None = None
    lte: float | None = None
    lt: float | None = None


@dataclass(frozen=True, slots=True)
class Every:
    """All of these hold."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one of these holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """It does not hold; so it is also where the field is missing."""

    part: Condition


Condition = OneOf | Between | Every | Some | Not

_COMPARES = {"$gte": "gte", "$gt": "gt", "$lte": "lte", "$lt": "lt"}
_OPERATORS = ("$eq", "$ne", "$in", "$nin", *_COMPARES, "$and", "$or")


def read_filter(given: object) -> Condition:
    """The conditions that a caller wrote. Raises BadQuestion for whatever is not understood: a condition that was
    passed over would show more than was asked for."""
    read = _Reader()
    return read.filter(given, 1)


class _Reader:
    """Reads one filter, and counts what it has come to."""

    def __init__(self) -> None:
        self._values = 0

    def filter(self, given: object, depth: int) -> Condition:
        if not isinstance(given, Mapping):
            raise BadQuestion(f"A filter is a dict such as {{'team': 'valves'}}, not {type(given).__name__}.")
        if depth > DEEPEST:
            raise BadQuestion(f"A filter holds conditions within conditions {DEEPEST} deep at most; write it flatter.")
        if not given:
            raise BadQuestion("The filter names no condition; leave it out, or name one.")
        parts = [self._named(name, wanted, depth) for name, wanted in given.items()]
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def _named(self, name: object, wanted: object, depth: int) -> Condition:
        if name in ("$and", "$or"):
            if not isinstance(wanted, Sequence) or isinstance(wanted, str) or not wanted:
                raise BadQuestion(f"{name} takes a list of filters, at least one.")
            parts = tuple(self.filter(each, depth + 1) for each in wanted)
            return Every(parts) if name == "$and" else Some(parts)
        field = _field(name)
        if not isinstance(wanted, Mapping):
            return OneOf(field, self._values_of("$in" if _is_list(wanted) else "$eq", field, wanted))
        if not wanted:
            raise BadQuestion(f"The filter says nothing about {field}; name a value, or leave it out.")
        conditions = [self._operator(field, operator, value) for operator, value in wanted.items()]
        return conditions[0] if len(conditions) == 1 else Every(tuple(conditions))

    def _operator(self, field: str, operator: object, value: object) -> Condition:
        if operator in _COMPARES:
            return Between(field, **{_COMPARES[str(operator)]: self._number(str(operator), field, value)})
        if operator in ("$eq", "$in"):
            return OneOf(field, self._values_of(str(operator), field, value))
        if operator in ("$ne", "$nin"):
            return Not(OneOf(field, self._values_of(str(operator), field, value)))
        raise BadQuestion(_unknown(operator))

    def _values_of(self, operator: str, field: str, value: object) -> tuple[Value, ...]:
        many = operator in ("$in", "$nin")
        if many != _is_list(value):
            takes = "a list of values" if many else "one value; $in takes a list"
            raise BadQuestion(f"The filter's {operator} on {field} takes {takes}.")
        values = tuple(value) if many else (value,)  # type: ignore[arg-type]
        if not values:
            raise BadQuestion(f"The filter names no value for {field}; name at least one, or leave it out.")
        return tuple(self._value(field, each) for each in values)

    def _value(self, field: str, value: object) -> Value:
        self._values += 1
        if self._values > MOST_VALUES:
            raise BadQuestion(f"A filter compares with {MOST_VALUES} values at most; name fewer.")
        if isinstance(value, bool):
            return value
        if isinstance(value, str):
            if len(value) > LONGEST or not _is_text(value):
                raise BadQuestion(f"The filter's value for {field} must be text of {LONGEST} characters at most.")
            return value
        if isinstance(value, int | float) and math.isfinite(value) and abs(value) <= _EXACT:
            return value
        raise BadQuestion(
            f"The filter's value for {field} can't be compared with; give a text, True or False, or a number up to "
            "2^53."
        )

    def _number(self, operator: str, field: str, value: object) -> float:
        known = self._value(field, value)
        if isinstance(known, str | bool):
            raise BadQuestion(
                f"The filter's {operator} on {field} takes a number; a search is narrowed by date with "
                "narrowed=narrow(since=…, until=…)."
            )
        return known


def _field(name: object) -> str:
    if isinstance(name, str) and name.startswith("$"):
        raise BadQuestion(_unknown(name))
    if not isinstance(name, str) or not _is_name(name):
        raise BadQuestion(
            f"A filter names fields by text of 1 to {_LONGEST_NAME} characters without quotes, backslashes and control "
            "characters."
        )
    if name.partition(".")[0] == "groups":
        raise BadQuestion("A filter can't speak of groups: who asks says who may see what.")
    return name


def _is_name(name: str) -> bool:
    plain = 0 < len(name) <= _LONGEST_NAME and _is_text(name) and name.isprintable()
    return plain and not set(name) & {'"', "\\"} and all(name.split("."))


def _is_text(value: str) -> bool:
    """Whether it can be written as UTF-8, which half characters can't."""
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple | set | frozenset)


def _unknown(operator: object) -> str:
    return f"A filter knows no {str(operator)[:50]!r}; it knows {', '.join(_OPERATORS)}."
