"""JSON that is always whole: schemas made fit for constrained decoding, and the ending of JSON that was cut off.

The engine can only write what the schema allows, but it stops at the token limit wherever it is. What it wrote until
then is the beginning of a valid document, so the shortest rest that makes it one is appended (`ending`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ragapp.engine.bounds import plainest, rest_of_number
from ragapp.engine.schema_bounds import Allowance, whole

_CLOSED_STRINGS = {"maxLength", "pattern", "format", "enum", "const"}
_STRING_ENDS = (
    *('"', '\\"', '0"', '00"', '000"', '0000"'),
    *('\\udc00"', 'udc00"', 'dc00"', 'c00"', '0\\udc00"', '00\\udc00"'),
)
_LITERALS = {"t": "true", "f": "false", "n": "null"}
Schema = Mapping[str, Any]


def fit(schema: Schema, longest_string: int, allowance: Allowance | None = None) -> dict[str, Any]:
    """The schema without references, with a length for strings that have none, and objects closed to unknown keys.

    A small model may go on in a string until the token limit; `longest_string` (characters) stops it before. Raises
    TooCostly where the schema is beyond what `schema_bounds` allows.
    """
    fitted: dict[str, Any] = _fit(whole(schema, allowance), longest_string)
    return fitted


def _fit(schema: Any, longest: int) -> Any:
    if isinstance(schema, list):
        return [_fit(part, longest) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    fitted = {
        key: {name: _fit(part, longest) for name, part in value.items()}
        if key == "properties"
        else _fit(value, longest)
        for key, value in schema.items()
    }
    if schema.get("type") == "string" and not _CLOSED_STRINGS & schema.keys():
        fitted["maxLength"] = longest
    return fitted


def smallest(schema: Schema) -> Any:
    """The shortest value that the schema allows, as far as types, required keys, choices and lower bounds go."""
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return min(schema["enum"], key=lambda value: len(json.dumps(value)))
    if "default" in schema and "type" not in schema:
        return schema["default"]
    for several in ("anyOf", "oneOf"):
        if schema.get(several):
            return min((smallest(part) for part in schema[several]), key=lambda value: len(json.dumps(value)))
    kind = _kind(schema)
    if kind == "object":
        return {name: smallest(schema["properties"][name]) for name in _required(schema)}
    if kind == "array":
        return [smallest(_item(schema, at)) for at in range(_least_items(schema))]
    if kind == "string":
        return " " * int(schema.get("minLength", 0))
    if kind in ("integer", "number"):
        return plainest(schema)
    return {"boolean": False}.get(kind)


def _kind(schema: Schema) -> str:
    kind = schema.get("type", "object" if "properties" in schema else "null")
    return str(kind[0] if isinstance(kind, list) else kind)


def _required(schema: Schema) -> list[str]:
    known = schema.get("properties", {})
    return [name for name in schema.get("required", ()) if name in known]


def _value(schema: Schema, name: str) -> Schema:
    """The schema of an object's value, be it of a key that is known by name or of any other."""
    other = schema.get("additionalProperties")
    value = schema.get("properties", {}).get(name, other)
    return value if isinstance(value, Mapping) else {}


def _item(schema: Schema, at: int) -> Schema:
    """The schema of an array's item at this place."""
    first = schema.get("prefixItems", ())
    item = first[at] if at < len(first) else schema.get("items")
    return item if isinstance(item, Mapping) else {"type": "null"}


def _least_items(schema: Schema) -> int:
    return int(schema.get("minItems", 0))


def _options(schema: Schema) -> list[Any]:
    """The values that alone are allowed; none where the schema doesn't list them."""
    return [schema["const"]] if "const" in schema else list(schema.get("enum", ()))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def ending(text: str, schema: Schema) -> str:
    """What to append so that `text`, the beginning of a JSON document of this schema, is a whole one; "" if it is."""
    return _Reader(text).rest_of(schema) or ""


class _Reader:
    """Reads JSON along its schema. Each method returns None where its part is whole, else what is missing of it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def rest_of(self, schema: Schema) -> str | None:
        first = self._next()
        if first == "":
            return _json(smallest(schema))
        schema = self._chosen(schema, first)
        if first == "{":
            return self._rest_of_object(schema)
        if first == "[":
            return self._rest_of_array(schema)
        if first == '"':
            return self._rest_of_string(_options(schema), int(schema.get("minLength", 0)))
        return self._rest_of_word(schema)

    def _rest_of_object(self, schema: Schema) -> str | None:
        known = schema.get("properties", {})
        seen: list[str] = []

        def missing(comma: bool) -> str:
            parts = [f'"{name}": {_json(smallest(known[name]))}' for name in _required(schema) if name not in seen]
            return (", " if comma and parts else "") + ", ".join(parts) + "}"

        self._at += 1
        while True:
            mark = self._next()
            if mark == "":
                return missing(comma=bool(seen))
            self._at += mark in ",}"
            if mark == "}":
                return None
            if self._next() == "":
                # after a comma another key must follow, be it one that could have been left out
                following = [name for name in known if name not in seen]
                needed = next((name for name in following if name in _required(schema)), (following or [""])[0])
                seen.append(needed)
                return f'"{needed}": {_json(smallest(_value(schema, needed)))}' + missing(comma=True)
            begin = self._at
            rest = self._rest_of_string([name for name in known if name not in seen])
            name = json.loads(self._text[begin : self._at] + (rest or ""))
            seen.append(name)
            if rest is not None or self._next() == "":
                return f"{rest or ''}: {_json(smallest(_value(schema, name)))}" + missing(comma=True)
            self._at += 1
            if (rest := self.rest_of(_value(schema, name))) is not None:
                return rest + missing(comma=True)

    def _rest_of_array(self, schema: Schema) -> str | None:
        count = 0

        def missing() -> str:
            items = [_json(smallest(_item(schema, at))) for at in range(count, _least_items(schema))]
            return (", " if count and items else "") + ", ".join(items) + "]"

        self._at += 1
        while (mark := self._next()) != "]":
            if mark == "":
                return missing()
            self._at += mark == ","
            rest = self.rest_of(_item(schema, count))
            count += 1
            if rest is not None:
                return rest + missing()
        self._at += 1
        return None

    def _rest_of_string(self, choices: list[Any], least: int = 0) -> str | None:
        begin = self._at
        self._at += 1
        while self._at < len(self._text):
            mark = self._text[self._at]
            self._at += 2 if mark == "\\" else 1
            if mark == '"':
                return None
        self._at = len(self._text)
        written = self._text[begin:]
        for choice in choices:
            whole = _json(choice)
            if whole.startswith(written):
                return whole[len(written) :]
        end = _end_of_string(written)
        if not least:
            return end
        return end[:-1] + " " * (least - len(json.loads(written + end, strict=False))) + '"'

    def _rest_of_word(self, schema: Schema) -> str | None:
        begin = self._at
        while self._at < len(self._text) and self._text[self._at] not in ",]} \n\t":
            self._at += 1
        if self._at < len(self._text):
            return None
        word = self._text[begin:]
        if options := [whole for whole in map(_json, _options(schema)) if whole.startswith(word)]:
            return min(options, key=len)[len(word) :]
        if word[0] in _LITERALS:
            return _LITERALS[word[0]][len(word) :]
        return rest_of_number(word, schema)

    def _chosen(self, schema: Schema, first: str) -> Schema:
        """Of alternatives, the one that can begin with this character."""
        for alternative in _alternatives(schema):
            if _begins(alternative, first, self._text[self._at :]):
                return alternative
        return schema

    def _next(self) -> str:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1
        return self._text[self._at : self._at + 1]


def _alternatives(schema: Schema) -> Iterator[Schema]:
    several = schema.get("anyOf") or schema.get("oneOf")
    if not several:
        yield schema
        return
    for part in several:
        yield from _alternatives(part)


def _begins(schema: Schema, first: str, text: str) -> bool:
    if options := [_json(option) for option in _options(schema)]:
        return any(text.startswith(option) or option.startswith(text) for option in options)
    kinds = {"{": "object", "[": "array", '"': "string", "t": "boolean", "f": "boolean", "n": "null"}
    if first == "{" and _kind(schema) == "object":
        return _agrees(schema, text)
    return kinds.get(first, "number").startswith(_kind(schema).replace("integer", "number"))


def _agrees(schema: Schema, text: str) -> bool:
    """Whether the constants of an object (such as a tool's name) don't contradict the text."""
    for name, part in schema.get("properties", {}).items():
        if "const" in part and f'"{name}": ' in text:
            said = text.split(f'"{name}": ', 1)[1]
            whole = json.dumps(part["const"], ensure_ascii=False)
            return said.startswith(whole) or whole.startswith(said)
    return True


def _end_of_string(written: str) -> str:
    """What closes a string that was cut off, perhaps in the middle of an escape or of a pair of them."""
    for missing in _STRING_ENDS:
        try:
            json.loads(written + missing).encode()
        except ValueError:  # also of the half of a pair, which is no text
            continue
        return missing
    return '"'
