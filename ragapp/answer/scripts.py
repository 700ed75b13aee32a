"""What scripts and emoji need of invisible characters: where a joiner or a selector changes what is seen."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

_COMPLEX = (
    (0x0600, 0x08FF),  # Arabic, Syriac, Thaana, N'Ko, Mandaic
    (0x0900, 0x0DFF),  # the scripts of India and Sri Lanka
    (0x0F00, 0x109F),  # Tibetan, Burmese
    (0x1780, 0x18AF),  # Khmer, Mongolian
    (0xA840, 0xA8FF),  # Phags-pa, Saurashtra, Devanagari's supplement
    (0xFB50, 0xFDFF),
    (0xFE70, 0xFEFC),
)
_EMOJI = (
    (0x00A9, 0x00A9),
    (0x00AE, 0x00AE),
    (0x203C, 0x203C),
    (0x2049, 0x2049),
    (0x2122, 0x2122),
    (0x2139, 0x2139),
    (0x2190, 0x21FF),
    (0x2300, 0x27BF),
    (0x2934, 0x2935),
    (0x2B00, 0x2BFF),
    (0x3030, 0x303D),
    (0x3297, 0x3299),
    (0x1F000, 0x1FAFF),
)
_IDEOGRAPHS = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))
_KEYCAPS = frozenset("0123456789#*")


def is_complex(letter: str) -> bool:
    """Whether its script shows letters differently by a joiner between them."""
    return _within(letter, _COMPLEX)


def is_emoji(letter: str) -> bool:
    """Whether it is, or may become, a picture."""
    return _within(letter, _EMOJI)


def is_ideograph(letter: str) -> bool:
    return _within(letter, _IDEOGRAPHS)


def takes_variants(letter: str, selector: str) -> bool:
    """Whether `selector` chooses a variant of this letter that people use: there is room for many, and few are."""
    number = ord(selector)
    if number in (0xFE0E, 0xFE0F):
        return is_emoji(letter) or letter in _KEYCAPS
    if 0xFE00 <= number <= 0xFE02:
        return is_ideograph(letter) or 0x2200 <= ord(letter) <= 0x22FF or 0x1000 <= ord(letter) <= 0x109F
    if 0x180B <= number <= 0x180F:
        return 0x1820 <= ord(letter) <= 0x18AF
    # of the supplement the first twenty are registered for the forms of names in Japanese
    return 0xE0100 <= number <= 0xE0113 and is_ideograph(letter)


def _within(letter: str, ranges: Sequence[tuple[int, int]]) -> bool:
    if len(letter) != 1:
        return False
    at = bisect_right(ranges, (ord(letter), 0x110000)) - 1
    return at >= 0 and ranges[at][0] <= ord(letter) <= ranges[at][1]
