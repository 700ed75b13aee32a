"""Text from documents and models that no viewer of Markdown or HTML can make active."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ragapp.answer.inert import inert, inert_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("![x](https://evil.example/?q=1)", "![x] (https[:]//evil[.]example/?q=1)"),
        ("[x][1]\n\n[1]: //evil.example", "[x] [1]\n\n[1] : //evil.example"),
        ("<img src=x> <https://evil.example> 3 < 4", "‹img src=x> ‹https[:]//evil.example> 3 < 4"),
        ("www.evil.example", "www[.]evil.example"),
        ("see evil.example?q=Anna, evil.example:8080", "see evil[.]example?q=Anna, evil[.]example:8080"),
        (r"https\:\/\/evil.example http&#58;//evil.example", r"https[:]\/\/evil.example http& #58;//evil.example"),
        ("At 7:45 [1].", "At 7:45 [1]."),
        ("Is it in warranty_terms.txt? R&D says 3.5/4.", "Is it in warranty_terms.txt? R&D says 3.5/4."),
    ],
)
def test_nothing_can_be_followed_or_fetched(text: str, shown: str) -> None:
    assert inert(text) == shown


@given(st.text(alphabet="[]()<>!:/ahtpsw.\n\\ &#;", max_size=40))
def test_no_text_makes_a_link_a_picture_or_a_tag(text: str) -> None:
    kinds = {
        child.type
        for token in MarkdownIt("commonmark", {"html": True}).parse(inert(text))
        for child in [token, *(token.children or [])]
    }
    assert not kinds & {"link_open", "image", "html_block", "html_inline"}


@given(st.text(alphabet="[]()<>!:/ahtpsw.\n\\ &#;", max_size=40))
def test_what_is_inert_stays_as_it_is(text: str) -> None:
    assert inert(inert(text)) == inert(text)


def test_a_title_is_one_line() -> None:
    assert inert_line("a\n\n[2] b\x00 " + "c" * 400) == ("a [2] b‹U+0000› " + "c" * 400)[:299] + "…"
