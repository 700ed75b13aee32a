"""What of a text can be compared: stems, numbers and names. Pure, and the same for every language."""

from __future__ import annotations

import re
from collections.abc import Callable

Stems = Callable[[str], frozenset[int]]
"""The stems of a text without stop words, as the BM25 branch hashes them."""

_NUMBER = re.compile(r"(?:\d{1,3}(?:[.,'\u2019\u00a0\u2009\u202f ]\d{3}(?!\d))+|\d+)(?:[.,]\d+)?")
_MINUS = re.compile(r"(?:(?<![\w.,)\]\-\u2013\u2212])[-\u2013\u2212][\u20ac$\u00a3]?|\bminus\s{1,2})\Z", re.IGNORECASE)
"""At the end of what stands before a number; no dash of a range, a date or a code."""
_WORD = re.compile(r"[^\W_]+(?:[-'\u2019][^\W_]+)*")
_CODE = re.compile(r"(?=.*\d)(?=.*[^\W\d_]).+|(?:19|20)\d\d")
_UNITS = (
    "zero null", "one ein eine einen einem einer", "two zwei", "three drei", "four vier", "five fünf", "six sechs",
    "seven sieben", "eight acht", "nine neun", "ten zehn", "eleven elf", "twelve zwölf", "thirteen dreizehn",
    "fourteen vierzehn", "fifteen fünfzehn", "sixteen sechzehn", "seventeen siebzehn", "eighteen achtzehn",
    "nineteen neunzehn",
)  # fmt: skip
_TENS = (
    "twenty zwanzig", "thirty dreißig dreissig", "forty vierzig", "fifty fünfzig", "sixty sechzig", "seventy siebzig",
    "eighty achtzig", "ninety neunzig",
)  # fmt: skip
_SMALL = {word: str(value) for value, words in enumerate(_UNITS) for word in words.split()}
_SMALL |= {word.casefold(): str(10 * value) for value, words in enumerate(_TENS, 2) for word in words.split()}
_SMALL |= {
    compound.casefold(): str(10 * ten + unit)
    for ten, tens in enumerate(_TENS, 2)
    for unit, units in enumerate(_UNITS[1:10], 1)
    for english, *german in [tens.split()]
    for compound in (f"{english}-{units.split()[0]}", *(f"{units.split()[1]}und{each}" for each in german))
}
_GERMAN = frozenset(
    "der die das dem den des und für ist nicht mit ein eine einen einem auf zu im von nach welche welcher welches "
    "werden wird wie wann wer darf kann sind hat bei aus vom zum zur".split()
)
"""Words that give German away, where every noun has a capital."""
_ARTICLES = {"one", "ein", "eine", "einen", "einem", "einer", "null"}
"""Words that are more often an article or an idiom than a count."""


_BELOW_ZERO = frozenset(
    "minus negative below under loss losses lost deficit shortfall fell fall falls fallen drop drops dropped decline "
    "declined decrease decreased reduced reduction reduces down less fewer off discount "
    "negativ unter verlust verluste defizit rückgang gesunken gefallen weniger rabatt nachlass".split()
)
"""Words that say what a minus says."""

_FREEZING = re.compile(r"\bbelow zero\b", re.IGNORECASE)


def numbers(text: str, *, spelled: bool = False) -> frozenset[str]:
    """Numbers in one spelling: 1,200.50 and 1.200,50 are both "1200.5", \u221220 and minus 20 are "-20". `spelled` adds
    number words (two, drei), also those in compounds (a three-month notice)."""
    found: set[str] = set()
    for match in _NUMBER.finditer(text):
        number, start = _plain(match.group()), match.start()
        minus = _MINUS.search(text, max(0, start - 9), start)
        if not minus or number == "0":
            found.add(number)
            continue
        found.add(f"-{number}")
        # a word may be arithmetic, and a hyphen that begins a line may be a list's
        if minus[0][0].isalpha() or (minus[0][0] != "\u2212" and minus.start() and text[minus.start() - 1] == "\n"):
            found.add(number)
    if spelled:
        found |= {_SMALL[part] for word in words(text) for part in (word, *word.split("-")) if part in _SMALL}
    return frozenset(found)


def either_sign(figures: frozenset[str], held_in: str, by: str) -> frozenset[str]:
    """The figures of `held_in`, and those that `by` may mean by them: a fall by 20 where -20 is written, and the other
    way round."""
    if not _BELOW_ZERO.isdisjoint(words(by)):
        figures |= {figure.removeprefix("-") for figure in figures}
    if not _BELOW_ZERO.isdisjoint(words(held_in)):
        figures |= {figure if figure.startswith("-") else f"-{figure}" for figure in figures}
    return figures


def counted(text: str) -> frozenset[str]:
    """Numbers that a sentence states: digits, and number words that are no articles."""
    spelled = words(_FREEZING.sub(" ", text))
    return numbers(text) | {_SMALL[word] for word in spelled if word in _SMALL and word not in _ARTICLES}


def words(text: str) -> list[str]:
    """Lower-case words in order."""
    return [match.group().casefold() for match in _WORD.finditer(text)]


def names(text: str) -> frozenset[str]:
    """Capitalized words that don't open a sentence, in lower case: people, places, products.

    Empty where capitals say nothing: text that capitalizes its nouns (German) or its every word.
    """
    found: set[str] = set()
    inner = capital = 0
    for sentence in re.split(r"[.!?:;\n]\s*|[\"\u201c\u201e(\[]", text):
        for position, match in enumerate(_WORD.finditer(sentence)):
            word = match.group()
            if position == 0 and not word.isupper():
                continue
            inner += 1
            if word[0].isupper() and word != "I":
                capital += 1
                # two letters are mostly an abbreviation, which a document may spell out
                found |= {word.casefold()} if len(word) > 2 else set()
    if (inner >= 4 and capital / inner > 0.7) or len(_GERMAN.intersection(words(text))) > 1:
        return frozenset()
    return frozenset(found)


def codes(text: str) -> frozenset[str]:
    """Words that mean one thing only: letters with digits (P350, E07) and years, in lower case."""
    return frozenset(word for word in words(text) if _CODE.fullmatch(word))


def _plain(number: str) -> str:
    digits = re.sub(r"['\u2019\u00a0\u2009\u202f ]", "", number)
    dot, comma = digits.rfind("."), digits.rfind(",")
    if dot >= 0 and comma >= 0:
        thousands = "," if dot > comma else "."
        digits = digits.replace(thousands, "").replace(",", ".")
    elif comma >= 0 or dot >= 0:
        mark = "," if comma >= 0 else "."
        parts = digits.split(mark)
        grouped = all(len(part) == 3 for part in parts[1:]) and parts[0] not in ("", "0") and len(parts[0]) <= 3
        digits = digits.replace(mark, "" if grouped else ".", -1)
    whole, _, fraction = digits.partition(".")
    fraction = fraction.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")
