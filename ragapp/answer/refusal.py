"""What an asker is told where the documents hold no answer, in the language of the question."""

from __future__ import annotations

from ragapp.answer.asking import language_asked

REFUSALS = {
    "en": "This is not in your documents.",
    "de": "Das steht nicht in Ihren Dokumenten.",
    "fr": "Cela ne figure pas dans vos documents.",
    "es": "Esto no está en sus documentos.",
    "it": "Questo non si trova nei vostri documenti.",
    "nl": "Dit staat niet in uw documenten.",
    "pl": "Tego nie ma w Państwa dokumentach.",
}


def refusal(question: str) -> str:
    """The sentence; in English where the question doesn't tell its language, or tells another than these."""
    return REFUSALS.get(language_asked(question) or "en", REFUSALS["en"])
