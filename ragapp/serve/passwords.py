"""Which passwords are taken: long enough, and none that whoever guesses tries early (NIST SP 800-63B, 3.1.1.2).

There are no rules on digits and capitals: they make passwords hard to remember and no harder to guess.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterable
from http import HTTPStatus
from urllib.parse import urlsplit

from ragapp.serve.problems import Refused
from ragapp.settings import Settings

SHORTEST_PASSWORD = 12
"""Characters: NIST SP 800-63B asks for at least 8, and 15 where a password is all there is."""
LONGEST_PASSWORD = 1000
_LOOKED_AT = 40
"""Characters whose guessing is reckoned: with substitutions for letters, 72 of them would take seconds."""
_LEAST_SCORE = 4
"""zxcvbn's best: more than ten thousand million guesses. A season with its year and a mark has 3."""
_SHORTEST_WORD = 3
_LEAST_BESIDES = 6
"""Letters and digits beside the person's own words."""
_looking = threading.Lock()
"""zxcvbn keeps the words of one call in a table that all calls share; and one at a time bounds what it costs."""


def normal(password: str) -> str:
    """The one form of what may be typed in several: an é of one keyboard is the é of another."""
    return unicodedata.normalize("NFKC", password)


def fit(password: str, words: Iterable[str] = ()) -> str:
    """The password as it is kept. `words` are the person's and the company's own, which others know too.

    Raises Refused with one sentence that says why and what to take.
    """
    chosen = normal(password)
    if len(chosen) < SHORTEST_PASSWORD:
        raise _unfit(f"A password needs at least {SHORTEST_PASSWORD} characters; take a sentence.")
    if len(chosen) > LONGEST_PASSWORD:
        raise _unfit(f"A password has at most {LONGEST_PASSWORD} characters; take a shorter sentence.")
    if not _is_text(chosen):
        raise _unfit("This password holds characters that are no text; take a sentence.")
    own = sorted({part for word in words for part in _parts(word)}, key=len, reverse=True)
    if _besides(chosen, own) < _LEAST_BESIDES:
        raise _unfit("This password is little more than names that others know; take a sentence of several words.")
    if _score(chosen, own) < _LEAST_SCORE:
        raise _unfit(
            "This password is too easy to guess: it is a common one, or nearly; take a sentence of several words."
        )
    return chosen


def words_of_service(settings: Settings) -> tuple[str, ...]:
    """The words that stand in every browser's address line here: the product's name, and the host's."""
    host = urlsplit(settings.serve.public_url or "").hostname or ""
    return ("ragapp", *host.split("."))


def _score(password: str, own: list[str]) -> int:
    from zxcvbn import zxcvbn  # type: ignore[import-untyped]

    with _looking:
        return int(zxcvbn(password[:_LOOKED_AT], user_inputs=own)["score"])


def _besides(password: str, own: list[str]) -> int:
    rest = password.casefold()
    for word in own:
        rest = rest.replace(word, "")
    return sum(c.isalnum() for c in rest)


def _parts(word: str) -> set[str]:
    folded = normal(word).casefold()
    return {part for part in (folded, *re.split(r"[\W_]+", folded)) if len(part) >= _SHORTEST_WORD}


def _is_text(password: str) -> bool:
    try:
        password.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unfit(sentence: str) -> Refused:
    return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, sentence)
