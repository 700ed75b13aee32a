"""Bytes to text: marks and declarations first, then UTF-8, then what the letters look like."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from ragapp.errors import Unreadable

if TYPE_CHECKING:
    from collections.abc import Sequence

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:-]{3,40})""", re.IGNORECASE)
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_C1 = re.compile("[\x80-\x9f]")
_TWICE = re.compile("[\xc2-\xf4][\x80-\xbf]{1,3}")
_HIGH = re.compile(rb"[\x80-\xff]")
_WESTERN = (
    "äöüß", "àâçéèêëîïôùûüœæÿ", "áéíñóúü", "àèéìíòóù", "áâãàçéêíóôõúü", "åäöé", "æøåé", "áèéëïóöü", "áéíóúýðþæö",
)  # fmt: skip
_CENTRAL = ("áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "ąćęłńóśźż", "áéíóöőúüű", "ăâîşţșț", "čćđšž")
"""The letters beyond ASCII of German, French, Spanish, …; of Czech, Slovak, Polish, Hungarian, Romanian, Croatian."""
_ALPHABETS = {"cp1250": _CENTRAL, "iso-8859-2": _CENTRAL, "cp1254": ("âçğıîöşüûi̇",)}
_SURE = 0.9
_FEWEST_LETTERS = 3
_SAMPLE = 1 << 18
"""Bytes that a guess is made from; charset-normalizer is slow on more and no better."""


def decode(raw: bytes, *, declared: bool = False) -> str:
    """The text of these bytes. `declared` lets the charset of an HTML or XML head count.

    Raises Unreadable for bytes that are no text in any encoding.
    """
    for name in _candidates(raw, declared):
        if name == "utf-8" and raw[:_SAMPLE].count(0) > len(raw[:_SAMPLE]) // 100:
            break
        try:
            return _mended(raw.decode(name))
        except (UnicodeDecodeError, LookupError):
            continue
    if b"\x00" in raw[:_SAMPLE]:
        raise Unreadable("holds bytes that are not text in any known encoding")
    return _guessed(raw)


def _mended(text: str) -> str:
    """Text whose UTF-8 was once taken for Latin-1 and saved again, as it was meant: "â\\x80\\x93" is a dash."""
    return _TWICE.sub(_once, text) if _C1.search(text) else text


def _once(found: re.Match[str]) -> str:
    try:
        return found.group().encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return found.group()


def marked_width(raw: bytes) -> int:
    """Bytes of one ASCII character in the encoding that these first bytes show: 1, 2 or 4."""
    name = _marked(raw) or _unmarked_wide(raw) or "utf-8"
    return 4 if "32" in name else 2 if "16" in name else 1


def _candidates(raw: bytes, declared: bool) -> list[str]:
    names = [_marked(raw), _unmarked_wide(raw), "utf-8"]
    if declared and (found := _DECLARED.search(raw[:2048])):
        name = found.group(1).decode("ascii").lower()
        names.append("cp1252" if name in ("iso-8859-1", "latin-1", "latin1", "us-ascii") else name)
    return [name for name in names if name]


def _marked(raw: bytes) -> str | None:
    return next((name for mark, name in _MARKS if raw.startswith(mark)), None)


def _unmarked_wide(raw: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark: the zero bytes of its ASCII characters stand in step."""
    sample = raw[:4096]
    if len(sample) < 8 or b"\x00" not in sample:
        return None
    shares = [sample[offset::4].count(0) / max(1, len(sample[offset::4])) for offset in range(4)]
    zero = [share > 0.6 for share in shares]
    patterns = {
        (False, True, True, True): "utf-32-le",
        (True, True, True, False): "utf-32-be",
        (False, True, False, True): "utf-16-le",
        (True, False, True, False): "utf-16-be",
    }
    return patterns.get((zero[0], zero[1], zero[2], zero[3]))


def _guessed(raw: bytes) -> str:
    sample = raw[:_SAMPLE]
    whole = _MULTIBYTE.findall(sample)
    stray = len(_HIGH.findall(sample)) - sum(len(found) for found in whole)
    if len(whole) > stray:
        return raw.decode("utf-8", "ragapp-cp1252")
    western = raw.decode("cp1252", "replace")
    ours = _alphabet_share(western[:_SAMPLE], _WESTERN)
    shares = {name: _alphabet_share(sample.decode(name, "replace"), known) for name, known in _ALPHABETS.items()}
    name = max(shares, key=lambda each: shares[each])
    if shares[name] > max(_SURE, ours):
        return raw.decode(name, "replace")
    if ours == 1 or _reads_as_western(western[:_SAMPLE]):
        return western
    from charset_normalizer import from_bytes

    best = from_bytes(sample).best()
    if best is not None:
        return raw.decode(best.encoding, "replace")
    return western


def _reads_as_western(text: str) -> bool:
    """Whether what is beyond ASCII are letters inside mostly plain words, or typographic signs."""
    high = [character for character in text if character >= "\x80"]
    letters = sum(character.isalpha() for character in high)
    plain = sum(character.isascii() and character.isalpha() for character in text)
    odd = sum(character in "\ufffd¤¦¨¬¯³¸¹ºþÞðÐ¾½¼¿ƒˆ˜" for character in high)
    return letters < 0.25 * (plain + letters) and odd <= 0.1 * len(high)


def _alphabet_share(text: str, alphabets: Sequence[str]) -> float:
    """Of the letters beyond ASCII, the share that the best fitting of these alphabets holds; 0 where there are few."""
    letters = [character for character in text.lower() if character >= "\x80" and character.isalpha()]
    replaced = text.count("\ufffd")
    if len(letters) < _FEWEST_LETTERS:
        return 0.0
    return max(sum(letter in alphabet for letter in letters) for alphabet in alphabets) / (len(letters) + replaced)


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    """Stray bytes in a UTF-8 file are what an older program wrote."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error("ragapp-cp1252", _as_cp1252)
