"""One answer read from the engine's deltas; no engine is started."""

from __future__ import annotations

import json

import pytest

from ragapp.engine.reply import Reply, Request
from ragapp.engine.sampling import Delta

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
TOOL = {"type": "function", "function": {"name": "open_file", "parameters": SCHEMA}}


def _text(reply: Reply, *pieces: str, reason: str) -> str:
    """The text of all chunks of an answer that came in these pieces."""
    deltas = [
        Delta(text, at == len(pieces), reason if at == len(pieces) else None, 3, 0, at)
        for at, text in enumerate(pieces, 1)
    ]
    return "".join(str(chunk.message.content) for delta in deltas for chunk in reply.chunks(delta))


@pytest.mark.parametrize("reason", ["stop", "length", "abort"])
def test_json_is_whole_for_whatever_reason_it_ended(reason: str) -> None:
    reply = Reply(Request("m", 50, 0.0, stop=(".",), schema=SCHEMA))
    assert json.loads(_text(reply, '{"a": "One ', "sentence", reason=reason)) == {"a": "One sentence"}


def test_whole_json_stays_as_it_is() -> None:
    whole = '{"a": "One. Two."}'
    assert _text(Reply(Request("m", 50, 0.0, schema=SCHEMA)), whole[:7], whole[7:], reason="stop") == whole


def test_stop_words_end_text_and_not_json() -> None:
    assert Reply(Request("m", 50, 0.0, stop=(".",))).sampling.stop == (".",)
    assert Reply(Request("m", 50, 0.0, stop=(".",), schema=SCHEMA)).sampling.stop == ()
    forced = Request("m", 50, 0.0, stop=(".",), tools=(TOOL,), tool_choice="open_file")
    assert Reply(forced).sampling.stop == ()
