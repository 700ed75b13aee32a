"""Which language a text is in, by its commonest words: simple, offline, silent when unsure."""

from __future__ import annotations

import re
from collections import Counter

_STOP_WORDS = {
    "en": "the of and to in is that for it with as was on are this be by from or have not you which will at",
    "de": "der die und das ist nicht ein eine den von zu mit sich auf für im dem des auch werden wird sind oder bei",
    "fr": "le la les et des est une dans que qui pour pas sur au avec ce il sont du par plus ou aux cette être nous",
    "es": "el los las que y en una por con para es del se como más pero sus al lo esta este son o su fue",
    "it": "il di che è la per un una non con del della sono gli nel alla dei da anche come più le si delle questo",
    "nl": "de het een van en is dat niet op te zijn voor met die aan er om bij ook als door naar worden wordt deze",
    "pt": "o que e do da em um para é com não uma os no se na por mais as dos como mas foi ao são",
    "sv": "och att det som en på är av för med den till inte om ett har de kan från vi eller var ska",
    "da": "og at det er en til på af for med den ikke som der de et har kan fra vi eller var skal",
    "pl": "i w na z się nie do to że jest o jak od za po przez dla są oraz lub co tym ale jego być",
    "cs": "a se v na je to že s z do o jako pro jsou by ale nebo které který od po za při podle",
    "fi": "ja on ei se että oli joka ovat mutta tai kun ole niin kuin sen hän myös olla vain sekä",
    "tr": "ve bir bu da de için ile olarak çok daha gibi olan ne var en kadar sonra ya her değil",
}
_SCRIPTS = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\uac00-\ud7af]")),
    ("zh", re.compile(r"[\u4e00-\u9fff]")),
    ("he", re.compile(r"[\u0590-\u05ff]")),
    ("ar", re.compile(r"[\u0600-\u06ff]")),
    ("el", re.compile(r"[\u0370-\u03ff]")),
    ("th", re.compile(r"[\u0e00-\u0e7f]")),
)
_WORDS = {language: frozenset(words.split()) for language, words in _STOP_WORDS.items()}
_WORD = re.compile(r"[^\W\d_]+")
_SAMPLE = 20_000
_FEWEST = 4
"""Stop words below which nothing is said."""


def language_of(text: str) -> str | None:
    """ISO 639-1 code of the text's main language, None where too little of it tells."""
    sample = text[:_SAMPLE] + text[len(text) // 2 : len(text) // 2 + _SAMPLE]
    letters = sum(character.isalpha() for character in sample)
    for language, script in _SCRIPTS:
        if letters and len(script.findall(sample)) > 0.25 * letters:
            return language
    counts = Counter(word.lower() for word in _WORD.findall(sample))
    scores = sorted(((sum(counts[word] for word in words), code) for code, words in _WORDS.items()), reverse=True)
    (best, language), (second, _) = scores[0], scores[1]
    distinct = sum(word in counts for word in _WORDS[language])
    if best < _FEWEST or distinct < _FEWEST or best < 1.3 * second or best < 0.06 * sum(counts.values()):
        return None
    return language
