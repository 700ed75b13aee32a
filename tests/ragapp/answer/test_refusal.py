"""The language that a question is put in, told from a few words, and the refusal in it."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest

from ragapp.answer.asking import language_asked
from ragapp.answer.refusal import REFUSALS, refusal

QUESTIONS = Path(__file__).parents[3] / "examples" / "questions.jsonl"
ASKED = {
    "de": """
        Wie viele Urlaubstage habe ich?
        Wann beginnt mein Urlaub?
        Was kostet ein Parkplatz?
        Wer hat den Faust geschrieben?
        Und die Daten der Zeiterfassung?
        Darf ich meinen Laptop privat nutzen?
        Gibt es eine Kantine in Chemnitz?
        Wie hoch ist die Kündigungsfrist?
        Was ist die Hauptstadt von Australien?
        wie viel urlaub habe ich
        Was bedeutet Code Freeze bei uns?
    """,
    "fr": """
        Quel est le délai de préavis ?
        quel est le delai de preavis
        Combien de jours de congé ai-je ?
        Où se trouve la cantine ?
        Puis-je apporter mon chien ?
        Que signifie le code E10 ?
        Quelle est l'adresse du siège ?
        Qu’est-ce que le comité d’entreprise ?
    """,
    "es": """
        ¿Cuántos días de vacaciones tengo?
        cuantos dias de vacaciones tengo
        ¿Cuál es el plazo de preaviso?
        ¿Dónde está el comedor?
        ¿Puedo trabajar desde casa?
        ¿Quién escribió el Quijote?
    """,
    "it": """
        Quanti giorni di ferie ho?
        Qual è il periodo di preavviso?
        Dove si trova la mensa?
        Dov'è la mensa?
        Posso lavorare da casa?
        Chi ha scritto la Divina Commedia?
    """,
    "nl": """
        Hoeveel vakantiedagen heb ik?
        Wat is de opzegtermijn?
        Mag ik thuis werken?
        Wie is de bedrijfsarts?
        Hoeveel kost een Corvus-pomp?
    """,
    "pl": """
        Ile mam dni urlopu?
        Jaki jest okres wypowiedzenia?
        Gdzie jest stołówka?
        Jak złożyć wniosek o urlop rodzicielski?
        Czy mogę pracować z domu?
    """,
}
ENGLISH = """
    Who wrote Die Leiden des jungen Werther?
    Summarize Die Leiden des jungen Werther von Goethe
    Who wrote À la recherche du temps perdu?
    Who sang Non, je ne regrette rien?
    Juan de los Santos phone number
    J. L. Miller extension
    extension of W. Z. Smith
    What does "Wie lange gilt das" mean in German?
    What is the Kündigungsfrist for a Mietvertrag in der Schweiz?
    What was the war about?
    van door lock broken
    VAT rates DE ES FR IT NL
    per diem in Rio de Janeiro
    la carte menu du jour price
    Does El Niño affect us?
    notice period beskyd contract
    whos the company docter?
    Urlaub
    Why?
"""
OTHERS = """
    Quantos dias de férias eu tenho?
    Qual é a capital da Austrália?
    Hur många semesterdagar har jag?
    Hvad er prisen på en pumpe?
    Hvornår er der møde?
    Kde je závodní jídelna?
    Jaká je výpovědní lhůta?
    Сколько у меня дней отпуска?
    有給休暇は何日ありますか?
"""


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


@pytest.mark.parametrize(
    ("language", "question"), [(language, question) for language, asked in ASKED.items() for question in lines(asked)]
)
def test_a_short_question_is_refused_in_its_language(language: str, question: str) -> None:
    assert refusal(question) == REFUSALS[language]
    assert refusal(unicodedata.normalize("NFD", question)) == REFUSALS[language]


@pytest.mark.parametrize("question", lines(ENGLISH))
def test_english_with_foreign_names_and_titles_stays_english(question: str) -> None:
    assert refusal(question) == "This is not in your documents."


@pytest.mark.parametrize("question", lines(OTHERS))
def test_a_language_without_a_sentence_is_refused_in_english(question: str) -> None:
    assert refusal(question) == "This is not in your documents."


def test_the_questions_of_the_examples_are_all_told_apart() -> None:
    for line in QUESTIONS.read_text().splitlines():
        asked = json.loads(line)
        german = "german" in asked["groups"]
        assert (refusal(asked["question"]) == REFUSALS["de"]) == german, asked["question"]


def test_what_tells_no_language_is_left_open() -> None:
    assert language_asked("") is None
    assert language_asked("P350 DN20, 285 bar PVDF?") is None
