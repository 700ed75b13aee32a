"""The log holds a line for each question: figures always, words only where the settings say so."""

from __future__ import annotations

import logging

import pytest

from ragapp.answer.bridge import LoopThread
from ragapp.answer.chain import AnswerChain, Asked, Stages
from ragapp.answer.condense import Condensed
from ragapp.answer.grounding import Judgement
from ragapp.retrieve.hybrid import Retrieved
from ragapp.types import Principal

from .conftest import Shown

SECRET = "What does the director earn?"


def asked(caplog: pytest.LogCaptureFixture, *, log_text: bool) -> str:
    def never(*_: object) -> None:
        raise AssertionError("a question without passages needs no further stage")

    def condense(asked: Asked) -> Condensed:
        return Condensed(asked.question)

    stages = Stages(
        condense, lambda query, _: Retrieved(query, (), ()), lambda *_: Judgement("none"), never, never, never, never
    )  # type: ignore[arg-type]
    loop = LoopThread("test")
    caplog.set_level(logging.INFO, "ragapp.answer.chain")
    AnswerChain(stages, Principal("somebody"), loop, Shown(), model="none", log_text=log_text).invoke(SECRET)
    loop.close()
    (record,) = caplog.records
    return f"{record.getMessage()} {record.__dict__['ragapp_fields']}"


def test_a_line_with_figures_and_no_words(caplog: pytest.LogCaptureFixture) -> None:
    said = asked(caplog, log_text=False)
    assert said.startswith("not_found {'passages': 0")
    assert "director" not in said


def test_words_where_they_may_be_kept(caplog: pytest.LogCaptureFixture) -> None:
    assert "director" in asked(caplog, log_text=True)
