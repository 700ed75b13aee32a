"""Numbers within a JSON schema's bounds: the plainest one, and how a number that was cut off can end."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

_MOST_DIGITS = 20
Number = int | float
Schema = Mapping[str, Any]


def plainest(schema: Schema) -> Number:
    """A number that the schema allows: 0 where it can be, else one at or near its bounds."""
    low, high = _ends(schema)
    step = schema.get("multipleOf", 1)
    near = [0, low, high, low + step, high - step, (low + high) / 2]
    near += [turn(end / step) * step for end in (low, high) if math.isfinite(end) for turn in (math.ceil, math.floor)]
    finite = [_whole(number) for number in near if math.isfinite(number)]
    return next((number for number in finite if _allowed(number, schema)), 0)


def rest_of_number(begun: str, schema: Schema) -> str:
    """What to append to the beginning of a number so that it is one that the schema allows."""
    for rest in _rests(begun, schema):
        try:
            number = json.loads(begun + rest)
        except ValueError:
            continue
        if _allowed(number, schema):
            return rest
    return "0" if begun[-1] in "-+.eE" else ""


def _rests(begun: str, schema: Schema) -> Iterator[str]:
    """Rests to try. Of all integers that begin like this, those that a range holds are at its ends, or end in naught or
    nines only, or are all of some length."""
    yield ""
    for count in range(1, _MOST_DIGITS):
        yield "0" * count
        yield "9" * count
    for end in _ends(schema):
        for number in (end, end + 1, end - 1):
            if math.isfinite(number) and (written := json.dumps(_whole(number))).startswith(begun):
                yield written[len(begun) :]
    for count in range(_MOST_DIGITS):
        yield f".{'0' * count}1"
        yield f"{'0' * count}1"


def _ends(schema: Schema) -> tuple[Number, Number]:
    low = schema.get("minimum", schema.get("exclusiveMinimum", -math.inf))
    return low, schema.get("maximum", schema.get("exclusiveMaximum", math.inf))


def _whole(number: Number) -> Number:
    return int(number) if number == int(number) else number


def _allowed(number: Number, schema: Schema) -> bool:
    if isinstance(number, float) and not math.isfinite(number):
        return False
    step = schema.get("multipleOf")
    return (
        (schema.get("type") != "integer" or number == int(number))
        and schema.get("minimum", -math.inf) <= number <= schema.get("maximum", math.inf)
        and schema.get("exclusiveMinimum", -math.inf) < number < schema.get("exclusiveMaximum", math.inf)
        and (not step or number % step == 0)
    )
