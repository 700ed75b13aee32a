"""Turns of a conversation as JSON and back, so that a follow-up after a restart finds the prompt it grows from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from ragapp.types import Passage, StageScore, Turn

_TUPLES = ("headings", "pages", "ordinals", "page_starts")
_TIMES = ("modified", "dated")


def turn_to_json(turn: Turn) -> dict[str, Any]:
    return {
        "question": turn.question,
        "answer": turn.answer,
        "prompt": turn.prompt,
        "passages": [_passage_to_json(found) for found in turn.passages],
    }


def turn_from_json(kept: Mapping[str, Any]) -> Turn:
    passages = tuple(_passage_from_json(found) for found in kept["passages"])
    return Turn(kept["question"], kept["answer"], passages, kept["prompt"])


def _passage_to_json(found: Passage) -> dict[str, Any]:
    fields = asdict(found)
    return fields | {name: fields[name].isoformat() for name in _TIMES if fields[name]}


def _passage_from_json(kept: Mapping[str, Any]) -> Passage:
    fields = dict(kept)
    fields |= {name: tuple(fields[name]) for name in _TUPLES}
    fields |= {name: datetime.fromisoformat(fields[name]) for name in _TIMES if fields[name]}
    fields["scores"] = {stage: StageScore(**score) for stage, score in fields["scores"].items()}
    return Passage(**fields)
