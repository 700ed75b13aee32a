"""What a constraint may cost, told from what is written before anything is made of it.

A schema of a few lines can stand for gigabytes: references that double, counts within counts, patterns that repeat what
repeats. Everything here takes time that is bounded by the limits below, whatever is given. What stays within them is
still compiled under limits on time and memory (`ragapp.engine.grammars`), since a small schema may be a costly one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ragapp.errors import TooCostly

LARGEST = 64 << 10
"""Characters of a schema, or of those of all tools together."""
DEEPEST = 48
"""Objects and lists within one another; vLLM takes 64, some of which go to what stands around a tool's schema."""
MOST_PARTS = 5000
"""Objects and lists of a schema once each reference stands for what it names."""
MOST_TOOLS = 128
MOST_VALUES = 2000
"""Values of an enum, and texts to choose among."""
LARGEST_COUNT = 100_000
"""Of a minLength, maxItems and their like."""
LARGEST_PRODUCT = 1_000_000
"""Of counts within one another: what a list of lists may hold."""
LONGEST_LEAST = 100_000
"""Characters of the shortest value that a schema allows."""
MOST_KEY_STATES = 10_000
"""Named keys times the count of keys that is asked for: each pair is a rule of the grammar."""
LARGEST_NUMBER, SMALLEST_STEP = 1e200, 1e-9
LONGEST_PATTERN = 1000
MOST_REPEATED = 10_000
"""Characters and classes of a pattern once each {n} is written out."""
LONGEST_CHOICES = 1 << 20
"""Characters; an answer's sentences are chosen among all those of its passages."""

_COUNTS = (
    *("minItems", "maxItems", "minLength", "maxLength"),
    *("minProperties", "maxProperties", "minContains", "maxContains"),
)
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_DATA = ("enum", "const", "default", "examples", "required")
"""Keywords whose values are no schemas."""
_DEFINITIONS = ("$defs", "definitions")
_BY_NAME = ("properties", "patternProperties", "dependentSchemas")
"""Keywords whose values are schemas by names of the schema's own, which may be those of keywords."""
_ITEMS = ("items", "prefixItems", "additionalItems", "contains")
_REPEAT = re.compile(r"\{(\d*)(?:,(\d*))?\}")
Schema = Mapping[str, Any]


def refuse(what: str, limit: str, found: object, most: object) -> TooCostly:
    """The error that names the limit, what was found, and the largest allowed."""
    return TooCostly(f"{what} has {limit} of {found}, and {most} is the most that is taken; make it smaller.")


@dataclass(slots=True)
class Allowance:
    """What is left for the schemas of one request; several tools share it."""

    what: str = "The JSON schema"
    parts: int = 0
    characters: int = 0

    def part(self) -> None:
        """One more object or list."""
        self.parts += 1
        if self.parts > MOST_PARTS:
            raise TooCostly(
                f"{self.what} has more than {MOST_PARTS} objects and lists, the most that is taken, once its "
                "references are written out; make it smaller."
            )

    def text(self, size: int) -> None:
        """So many characters more."""
        self.characters += size
        if self.characters > LARGEST:
            raise refuse(self.what, "a size", f"{self.characters} characters", LARGEST)


def whole(schema: Schema, allowance: Allowance | None = None) -> dict[str, Any]:
    """The schema with each reference replaced by what it names, within all limits.

    A reference to what it stands in (a tree's node that holds nodes) allows anything from its second turn on, since
    what is endless can't be written out. Raises TooCostly, which names the limit; ValueError where a reference leads
    nowhere or out of the schema.
    """
    allowance = allowance or Allowance()
    _shallow(schema, allowance)
    made = _Expansion(schema, allowance).of(schema, 0)
    told = {key: value for key, value in made.items() if key not in _DEFINITIONS}
    _weighed(told, 1, allowance.what)
    return told


def pattern_fits(pattern: str, what: str = "The request") -> None:
    """Raises TooCostly for a regular expression that is too long or repeats too much."""
    if len(pattern) > LONGEST_PATTERN:
        raise refuse(what, "a pattern with a length", len(pattern), LONGEST_PATTERN)
    if (size := _written_out(pattern)) > MOST_REPEATED:
        raise refuse(what, "a pattern with a size", f"{size} once repetitions are written out", MOST_REPEATED)


def choices_fit(choices: Sequence[str]) -> None:
    """Raises TooCostly for more text to choose among than is compiled."""
    if (size := sum(map(len, choices))) > LONGEST_CHOICES:
        raise refuse("The list of choices", "a size", f"{size} characters", LONGEST_CHOICES)


def tools_fit(count: int) -> None:
    """Raises TooCostly for more tools than are compiled."""
    if count > MOST_TOOLS:
        raise refuse("The request", "a number of tools", count, MOST_TOOLS)


def _shallow(schema: Any, allowance: Allowance) -> None:
    """Depth and size as written, told without recursion: nothing else may be done with what is deeper."""
    level: list[Any] = [schema]
    seen = 0
    for _ in range(DEEPEST):
        inner: list[Any] = []
        for each in level:
            seen += 1
            inner += (value for value in _values(each) if isinstance(value, Mapping | list | tuple))
        if not inner:
            break
        if seen + len(inner) > LARGEST:
            raise refuse(allowance.what, "a size", f"more than {LARGEST} parts", LARGEST)
        level = inner
    else:
        raise refuse(allowance.what, "a depth", f"more than {DEEPEST}", DEEPEST)
    allowance.text(len(json.dumps(schema)))


def _values(part: Any) -> Iterable[Any]:
    return part.values() if isinstance(part, Mapping) else part


@dataclass(slots=True)
class _Expansion:
    """Writes a schema out, reference by reference, until the allowance is used up."""

    root: Schema
    allowance: Allowance
    _followed: list[str] = field(default_factory=list)
    """References that are being followed, the outermost first."""

    def of(self, node: Any, depth: int, *, named: bool = False) -> Any:
        """A part in full. `named`: its keys are names, and no keywords."""
        if not isinstance(node, Mapping | list | tuple):
            return node
        self.allowance.part()
        if depth > DEEPEST:
            raise refuse(self.allowance.what, "a depth", f"more than {DEEPEST}", DEEPEST)
        if not isinstance(node, Mapping):
            return [self.of(item, depth + 1) for item in node]
        if named:
            return {str(name): self.of(value, depth + 1) for name, value in node.items()}
        made = {key: self._value(key, value, depth) for key, value in node.items() if key != "$ref"}
        return self._joined(node["$ref"], made, depth) if "$ref" in node else made

    def _value(self, key: str, value: Any, depth: int) -> Any:
        # definitions are written out where they are named
        if key in _DATA or key in _DEFINITIONS:
            return value
        return self.of(value, depth + 1, named=key in _BY_NAME)

    def _joined(self, reference: str, beside: dict[str, Any], depth: int) -> Any:
        """What a reference names, with what stands beside it over that."""
        if reference in self._followed:
            return beside
        self._followed.append(reference)
        found = self.of(_target(reference, self.root), depth + 1)
        self._followed.pop()
        return dict(found) | beside if isinstance(found, Mapping) else beside or found


def _target(reference: str, root: Schema) -> Any:
    """What a reference within the schema names."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        raise ValueError(f"the reference {str(reference)[:100]} leads out of the schema, and nothing is fetched")
    found: Any = root
    for step in filter(None, reference[1:].split("/")):
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping) and name in found:
            found = found[name]
        elif isinstance(found, list) and name.isdecimal() and len(name) < 6 and int(name) < len(found):
            found = found[int(name)]
        else:
            raise ValueError(f"the reference {reference[:100]} leads nowhere in the schema")
    return found


def _weighed(schema: Any, within: int, what: str) -> int:
    """Check the counts, numbers and patterns of a schema without references, `within` so many items of others.

    Returns about how many characters the shortest value has that it allows.
    """
    if not isinstance(schema, Mapping):
        return sum(_weighed(each, within, what) for each in schema) if isinstance(schema, list) else 0
    _counts_fit(schema, what)
    _numbers_fit(schema, what)
    holds = within * max(1, *(schema.get(key, 0) for key in ("minItems", "maxItems", "minProperties", "maxProperties")))
    if holds > LARGEST_PRODUCT and holds > within:
        raise refuse(what, "a product of counts within one another", holds, LARGEST_PRODUCT)
    least = 2 + schema.get("minLength", 0) + len(json.dumps(schema.get("const", "")))
    for key, value in schema.items():
        if key in _DATA or key in _DEFINITIONS:
            continue
        if key in _BY_NAME and isinstance(value, Mapping):
            needed = schema.get("required", ())
            for name, part in value.items():
                weight = _weighed(part, holds, what)
                least += len(name) + weight if name in needed else 0
        else:
            times = schema.get("minItems", 0) if key in _ITEMS else 1
            least += times * _weighed(value, holds, what)
    if least > LONGEST_LEAST:
        raise refuse(what, "a shortest value", f"about {least} characters", LONGEST_LEAST)
    return int(least)


def _counts_fit(schema: Schema, what: str) -> None:
    for key in _COUNTS:
        count = schema.get(key, 0)
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise ValueError(f"{key} must be a whole number, 0 or more")
        if count > LARGEST_COUNT:
            raise refuse(what, f"a {key}", _short(count), LARGEST_COUNT)
    if len(values := schema.get("enum", ())) > MOST_VALUES:
        raise refuse(what, "an enum", f"{len(values)} values", MOST_VALUES)
    asked = max(schema.get("minProperties", 0), schema.get("maxProperties", 0))
    if (states := asked * len(schema.get("properties", ()))) > MOST_KEY_STATES:
        raise refuse(what, "a product of named keys and their count", states, MOST_KEY_STATES)
    by_name = schema.get("patternProperties")
    for pattern in [schema.get("pattern"), *(by_name if isinstance(by_name, dict) else ())]:
        # whoever compiles it refuses one that is no text
        if isinstance(pattern, str):
            pattern_fits(pattern, what)


def _numbers_fit(schema: Schema, what: str) -> None:
    for key in _NUMBERS:
        # the exclusive ones were truth values once
        number = schema.get(key, 1)
        if not isinstance(number, int | float):
            raise ValueError(f"{key} must be a number")
        if not abs(number) <= LARGEST_NUMBER:
            raise refuse(what, f"a {key}", _short(number), f"{LARGEST_NUMBER:g}")
    if schema.get("multipleOf", 1) < SMALLEST_STEP:
        raise ValueError(f"multipleOf must be {SMALLEST_STEP:g} or more")


def _short(number: float) -> str:
    """A number as it is named in a sentence, however many digits it has."""
    if isinstance(number, int) and number.bit_length() > 64:
        return f"a number of {number.bit_length()} bits"
    return str(number)


def _written_out(pattern: str) -> int:
    """Characters and classes of a pattern with each repetition written out; stops counting beyond the limit."""
    sums, last, at = [0], 0, 0
    while at < len(pattern) and sums[-1] <= MOST_REPEATED:
        mark = pattern[at]
        if mark == "(":
            sums.append(0)
            last, at = 0, at + 1
        elif mark == ")" and len(sums) > 1:
            last, at = sums.pop(), at + 1
            sums[-1] += last
        elif (found := _REPEAT.match(pattern, at)) and (found[1] or found[2]):
            times = max(int(digits[:9]) for digits in found.groups("") if digits)
            sums[-1] += last * (times - 1)
            last, at = last * times, found.end()
        elif mark in "*+?":
            at += 1
        else:
            last, at = 1, _end_of_one(pattern, at)
            sums[-1] += 1
    return max(sums)


def _end_of_one(pattern: str, at: int) -> int:
    """Where the character or class that begins here ends."""
    if pattern[at] == "\\":
        return at + 2
    if pattern[at] != "[":
        return at + 1
    at += 2 if pattern[at + 1 : at + 2] == "^" else 1
    first = at
    while at < len(pattern) and (pattern[at] != "]" or at == first):
        at += 2 if pattern[at] == "\\" else 1
    return at + 1
