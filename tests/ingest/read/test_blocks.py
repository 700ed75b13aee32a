"""Text is made plain the same way whether it is told at a glance that it is, or looked through."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from ingest.read.blocks import clean, one_line

ANY = st.text(st.one_of(st.characters(), st.sampled_from(" \t\r\n\x00\x1c\x85\xa0\xad\ufeff\u2028\ud800")))


@given(ANY)
def test_control_characters_and_foreign_line_ends_go_and_all_else_stays(text: str) -> None:
    kept = re.sub(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]", "\n", text)
    kept = re.sub(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ufeff\ufffe\uffff]", "", kept)
    assert clean(text) == re.sub("[\ud800-\udfff]", "\ufffd", kept)


@given(ANY)
def test_one_line_has_one_blank_for_each_run_of_white_space(text: str) -> None:
    assert one_line(text) == " ".join(re.split(r"\s+", clean(text))).strip()
