"""docker-compose.yml as the tests read it: parsed, and with its variables filled in as Compose does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
_INNERMOST = re.compile(r"\$\{(\w+)(?::([-+])([^${}]*))?\}")
Tree = dict[str, Any]


def whole(variables: Mapping[str, str] | None = None) -> Tree:
    """The file with these variables set."""
    known = {"COMPOSE_PROJECT_NAME": "ragapp", **(variables or {})}
    filled: Tree = _fill(yaml.safe_load(FILE.read_text(encoding="utf-8")), known)
    return filled


def services(variables: Mapping[str, str] | None = None) -> dict[str, Tree]:
    """Its services by name."""
    found: dict[str, Tree] = whole(variables)["services"]
    return found


def started(*profiles: str) -> dict[str, Tree]:
    """The services that run with these profiles."""
    return {
        name: one for name, one in services().items() if not one.get("profiles") or {*profiles} & {*one["profiles"]}
    }


def _fill(node: Any, known: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _fill(value, known) for key, value in node.items()}
    if isinstance(node, list):
        return [_fill(value, known) for value in node]
    return _text(node, known) if isinstance(node, str) else node


def _text(text: str, known: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        name, kind, other = found.groups()
        given = known.get(name, "")
        if kind == "+":
            return other if given else ""
        return given or other or ""

    before = None
    while before != text:
        before, text = text, _INNERMOST.sub(value, text)
    return text.replace("$$", "$")
