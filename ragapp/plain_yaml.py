"""YAML that says what it says: no file of settings is larger when it is read than it is written."""

from __future__ import annotations

from typing import Any

import yaml

LARGEST = 1 << 20
"""Characters."""
DEEPEST = 50


class _Plain(yaml.SafeLoader):
    """Without aliases: each may stand for all that stands before it, and ten lines of them for gigabytes."""

    _depth = 0

    def _here(self) -> Any:
        return self.peek_event().start_mark  # type: ignore[no-untyped-call]

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            said = "an alias (*name) is not followed; write out what it stands for"
            raise yaml.composer.ComposerError(None, None, said, self._here())
        self._depth += 1
        if self._depth > DEEPEST:
            raise yaml.composer.ComposerError(None, None, f"nested deeper than {DEEPEST}", self._here())
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


def plain_yaml(text: str) -> Any:
    """What a text of YAML says. Raises YAMLError for what is no YAML, too large or nested too deep, and for aliases."""
    if len(text) > LARGEST:
        raise yaml.YAMLError(f"it has {len(text)} characters, and {LARGEST} are the most that are read")
    try:
        return yaml.load(text, _Plain)  # noqa: S506 - made of the safe one
    except ValueError as error:
        # a number of more digits than Python reads, a date that isn't one
        raise yaml.YAMLError(str(error)) from None
