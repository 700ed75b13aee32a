"""What of a text can be compared: stems, numbers and names. Pure, and the same for every language."""

from __future__ import annotations

import re
from collections.abc import Callable

Stems = Callable[[str], frozenset[int]]
"""The stems of a text without stop words, as the BM25 branch hashes them."""

_NUMBER = re.compile(r"(?:\d{1,3}(?:[.,'\u2019\u00a0\u2009\u202f ]\d{3}(?!\d))+|\d+)(?:[.,]\d+)?")
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
_FREEZING = re.compile(r"\b(?:below zero|unter null)\b", re.IGNORECASE)
_ARTICLES = {"one", "ein", "eine", "einen", "einem", "einer", "null"}
"""Words that are more often an article or an idiom than a count."""


_MINUS = re.compile(
    r"(?:(?:\A|[\s(])\u2212|(?:\(|\b(?:at|of|to|from|is|are|was|were|and|or|than|by|about|bei|von|bis|auf|und|oder|ist|war|als|um)\s)"
    r"[-\u2013])[\u20ac$\u00a3]?\Z",
    re.IGNORECASE,
)
"""What stands before a number that is certainly below zero: no dash of a range, a list, a date, a code or a ledger."""
_DASH = re.compile(
    r"(?:[-\u2010-\u2015\u2212]\s?(?:[A-Z]{2,3}\s?)?[\u20ac$\u00a3\u00a5]?\s?|\bminus\s|\()\Z", re.IGNORECASE
)
"""What stands before one that may be."""
_BEFORE = 12
"""Characters before a number in which its sign is looked for."""
_BELOW_ZERO = frozenset(
    "minus negative below under loss losses lost deficit shortfall fell fall falls fallen drop drops dropped decline "
    "declined decrease decreased reduced reduction reduces down less fewer off discount sank shrank "
    "negativ unter verlust verluste defizit rückgang gesunken gefallen weniger rabatt nachlass".split()
)
"""Words that say what a minus says."""


def numbers(text: str, *, spelled: bool = False) -> frozenset[str]:
    """Numbers without their signs in one spelling: 1,200.50 and 1.200,50 are both "1200.5". `spelled` adds number words
    (two, drei), also those in compounds (a three-month notice)."""
    found = {_plain(match.group()) for match in _NUMBER.finditer(text)}
    if spelled:
        found |= {_SMALL[part] for word in words(text) for part in (word, *word.split("-")) if part in _SMALL}
    return frozenset(found)


def below_zero(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """Numbers, without their signs, that certainly stand below zero wherever they stand, and those that may."""
    certain: set[str] = set()
    maybe: set[str] = set()
    above: set[str] = set()
    for match in _NUMBER.finditer(text):
        number, start = _plain(match.group()), match.start()
        before = text[max(0, start - _BEFORE) : start]
        if _MINUS.search(before):
            certain.add(number)
        elif _DASH.search(before):
            maybe.add(number)
        else:
            above.add(number)
    return frozenset(certain - maybe - above), frozenset(maybe | certain)


def figures_of(text: str) -> frozenset[str]:
    """Numbers that a passage or a question holds, also in words, with their signs as far as these are certain: "-20"
    alone for \u221220, both for what may be a range or a list."""
    certain, maybe = below_zero(text)
    held = numbers(text, spelled=True) | numbers(" ".join(text.split()))  # as a sentence says them that has one line
    return (held - certain) | {f"-{number}" for number in maybe}


def as_meant(held: frozenset[str], held_in: str, said: str) -> frozenset[str]:
    """The figures that a passage holds, with what a sentence may mean by them: a fall by 20 where -20 stands, -20
    where frost of 20 degrees does. Words that both have say nothing about a sign."""
    below, above = _BELOW_ZERO.intersection(words(said)), _BELOW_ZERO.intersection(words(held_in))
    unsaid = {figure.removeprefix("-") for figure in held} if below - above else below_zero(said)[1]
    held |= {number for number in unsaid if f"-{number}" in held}
    return held | {f"-{number}" for number in held if above - below and not number.startswith("-")}


def counted(text: str) -> frozenset[str]:
    """Numbers that a sentence states: digits, and number words that are no articles."""
    spelled = words(_FREEZING.sub(" ", text))
    return numbers(text) | {_SMALL[word] for word in spelled if word in _SMALL and word not in _ARTICLES}


def stated(text: str) -> frozenset[str]:
    """What `counted` counts, with a minus where it is certain."""
    certain, _ = below_zero(text)
    return (counted(text) - certain) | {f"-{number}" for number in certain}


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
