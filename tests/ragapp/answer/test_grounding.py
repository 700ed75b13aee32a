"""Evidence is absolute: the raw cosine, and the share of the question's rare words that the passages hold."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ragapp.answer.citations import Cited
from ragapp.answer.grounding import Evidence, judge, nearest_documents, stands, weigh
from ragapp.answer.statements import weigh_words
from ragapp.answer.words import Stems
from ragapp.settings import AnswerSettings
from ragapp.types import Passage, StageScore

Make = Callable[..., Passage]


def flat(texts: Sequence[str]) -> NDArray[np.float32]:
    """An embedder to which all texts mean the same."""
    return np.ones((len(texts), 1), np.float32)


def near(make: Make, text: str, cosine: float, document: str = "doc") -> Passage:
    return make(text, document, scores={"dense": StageScore(1, cosine)})


def judged(question: str, passages: list[Passage], pool: list[Passage], stems: Stems) -> Evidence:
    return weigh(question, passages, pool, weigh_words(question, pool, stems), stems)


def test_a_rare_word_weighs_more_than_common_ones(passage: Make, stems: Stems) -> None:
    pool = [near(passage, f"hotel limit for night number {i}", 0.7, f"d{i}") for i in range(20)]
    without = judged("What is the hotel limit for motorbikes?", pool[:3], pool, stems)
    within = judged("What is the hotel limit for a night?", pool[:3], pool, stems)
    assert without.missing == ("motorbikes",)
    assert without.rare_words < 0.5 < within.rare_words == 1.0


def test_words_that_only_ask_count_for_nothing(passage: Make, stems: Stems) -> None:
    pool = [near(passage, "Hotelkosten werden erstattet", 0.7)]
    assert judged("Wann und wie werden meine Hotelkosten erstattet?", pool, pool, stems).missing == ()
    assert judged("How many do we get, please?", pool, pool, stems).missing == ()


def refused(question: str, pool: list[Passage], stems: Stems, **settings: float) -> str:
    return judge(question, pool, pool, stems, flat, AnswerSettings(**settings)).reason


def test_what_the_question_names_must_be_named(passage: Make, stems: Stems) -> None:
    pool = [near(passage, "The torque of the P350 housing bolts is 45 Nm, see the manual.", 0.7)]
    for named in ("of the P120", "in Warsaw", "in 2019"):
        assert "no passage names" in refused(f"What is the torque {named}?", pool, stems, min_evidence=0.1)
    assert refused("What is the torque of the P350?", pool, stems) == ""


def test_only_passages_that_name_it_speak_for_it(passage: Make, stems: Stems) -> None:
    pool = [
        near(passage, "The torque of the P350 housing bolts is 45 Nm.", 0.7),
        near(passage, "P120: blue paint", 0.6),
    ]
    assert judged("What is the torque of the housing bolts of the P120?", pool, pool, stems).rare_words < 0.5


def test_too_little_evidence_is_refused_with_the_figures(passage: Make, stems: Stems) -> None:
    assert "0.11" in refused("hotel limit", [near(passage, "nothing to do with it", 0.11)], stems)
    some = [near(passage, "The hotel stands at the station.", 0.5)]
    assert "missing words: limit" in refused("hotel limit", some, stems, min_evidence=1.9)
    assert refused("hotel limit", [near(passage, "The hotel limit is 120 EUR.", 0.8)], stems) == ""


def test_no_candidates_is_no_evidence(stems: Stems) -> None:
    assert refused("anything", [], stems) != ""


def test_a_sentence_with_an_invented_figure_never_stands() -> None:
    settings = AnswerSettings(min_support=0.5)
    assert not stands(Cited("It is 5.", (), 1.0, frozenset({"5"})), settings)
    assert not stands(Cited("It is so.", (), 1.0, frozenset()), settings)


def test_the_nearest_documents_come_once_each_and_nearest_first(passage: Make) -> None:
    found = [near(passage, "a", 0.2, "far"), near(passage, "b", 0.5, "near"), near(passage, "c", 0.4, "near")]
    assert [(n.title, n.similarity) for n in nearest_documents(found)] == [("near", 0.5), ("far", 0.2)]
