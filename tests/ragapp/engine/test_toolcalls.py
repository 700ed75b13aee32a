"""Calls are read out of what the engine writes, however it is cut into pieces."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage

from ragapp.engine.messages import as_template_messages
from ragapp.engine.toolcalls import CallReader
from ragapp.errors import BadQuestion

TOOL = {"type": "function", "function": {"name": "weather", "description": "The weather", "parameters": {}}}
texts = st.text(max_size=12) | st.sampled_from(["</tool_call>", 'a"}\n</tool_call>', "<tool_call>", "\\", '{"', "]}"])
arguments = st.dictionaries(
    st.text(min_size=1, max_size=5), texts | st.integers() | st.lists(texts, max_size=2), max_size=3
)


def _read(written: str, cuts: list[int], mode: str) -> AIMessageChunk:
    reader = CallReader(mode)  # type: ignore[arg-type]
    edges = sorted({0, len(written), *(cut % (len(written) + 1) for cut in cuts)})
    pieces = [written[a:b] for a, b in pairwise(edges)]
    whole = AIMessageChunk(content="")
    for number, piece in enumerate(pieces, 1):
        text, chunks = reader.feed(piece, last=number == len(pieces))
        whole += AIMessageChunk(content=text, tool_call_chunks=chunks)  # type: ignore[assignment]
    return whole


@given(arguments=arguments, cuts=st.lists(st.integers(min_value=0), max_size=6))
def test_a_forced_call_is_read_whole(arguments: dict[str, object], cuts: list[int]) -> None:
    message = _read(json.dumps({"name": "weather", "arguments": arguments}), cuts, "only")
    assert message.content == ""
    assert [(call["name"], call["args"]) for call in message.tool_calls] == [("weather", arguments)]


@given(
    arguments=st.lists(arguments, max_size=3),
    before=st.text(alphabet="ab <\n", max_size=6),
    cuts=st.lists(st.integers(min_value=0), max_size=8),
)
def test_free_text_and_tagged_calls_are_told_apart(
    arguments: list[dict[str, object]], before: str, cuts: list[int]
) -> None:
    calls = "\n".join(f"<tool_call>\n{json.dumps({'name': 't', 'arguments': a})}\n</tool_call>" for a in arguments)
    message = _read(before + calls, cuts, "tagged")
    assert str(message.content).strip() == before.strip()
    assert [call["args"] for call in message.tool_calls] == arguments
    assert len({call["id"] for call in message.tool_calls}) == len(arguments)


def test_a_call_that_was_cut_off_in_its_arguments_is_an_invalid_one() -> None:
    arguments = {"path": '/home/\\ "ida', "of": [1, {"x": 2}]}
    given = json.dumps(arguments)
    whole = f'So: <tool_call>\n{{"name": "weather", "arguments": {given}}}\n</tool_call>'
    for cut in range(whole.index("\n{"), len(whole) + 1):
        begun = whole[:cut]
        message = _read(begun, [4, cut - 3], "tagged")
        assert message.content == "So: "
        if given in begun:  # what is missing, if anything, is the call's own brace and tag
            assert [call["args"] for call in message.tool_calls] == [arguments]
            assert not message.invalid_tool_calls
        else:
            (call,) = message.invalid_tool_calls
            assert not message.tool_calls
            assert call["name"] == ("weather" if '"weather"' in begun else "")
            assert str(call["args"]).startswith(begun.partition('"arguments": ')[2])


def test_a_forced_call_that_a_stop_word_cut_off_is_an_invalid_one() -> None:
    message = _read('{"name": "weather", "arguments": {"town": "Ul', [], "only")
    assert not message.tool_calls
    assert [call["name"] for call in message.invalid_tool_calls] == ["weather"]


def test_of_two_calls_the_one_that_is_whole_can_be_run() -> None:
    message = _read('<tool_call>{"name": "a", "arguments": {}}</tool_call><tool_call>{"name": "b"', [], "tagged")
    assert [call["name"] for call in message.tool_calls] == ["a"]
    assert [call["name"] for call in message.invalid_tool_calls] == ["b"]


def test_tools_are_told_in_the_system_message_where_the_template_has_no_place_for_them() -> None:
    told = as_template_messages([SystemMessage("Be brief."), HumanMessage("Hi")], [TOOL], template_knows_tools=False)
    assert told[0]["content"].startswith("Be brief.") and '"name": "weather"' in told[0]["content"]
    assert [message["role"] for message in told] == ["system", "user"]


def test_calls_and_results_of_earlier_turns_are_kept() -> None:
    call = {"name": "weather", "args": {"town": "Ulm"}, "id": "1"}
    turns = [AIMessage("", tool_calls=[call]), ToolMessage("sunny", tool_call_id="1")]
    as_text = as_template_messages(turns, [TOOL], template_knows_tools=False)
    assert '"town": "Ulm"' in as_text[1]["content"]
    assert as_text[2] == {"role": "user", "content": "Result of the tool: sunny"}
    as_roles = as_template_messages(turns, [TOOL], template_knows_tools=True)
    assert as_roles[0]["tool_calls"][0]["function"] == {"name": "weather", "arguments": {"town": "Ulm"}}
    assert as_roles[1]["role"] == "tool"


def test_a_picture_is_refused_in_a_sentence() -> None:
    picture = HumanMessage([{"type": "image_url", "image_url": {"url": "data:,"}}])
    with pytest.raises(BadQuestion, match="type image_url, and this model reads only text"):
        as_template_messages([picture], [], template_knows_tools=False)
