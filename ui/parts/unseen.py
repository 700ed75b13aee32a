"""What isn't seen in text that others wrote, or turns its order, for the places where Streamlit shows it.

The service does the same for what it answers (ragapp/answer/unseen.py), and unseen.js for what browsers read from it.
"""

from __future__ import annotations

import re

_UNSEEN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\u00ad\u034f"
    "\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_RUN = re.compile(f"[{_UNSEEN}]+")
_NOTHING_LOST = re.compile("[\u00ad\u034f\u061c\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\ufeff]")


def seen(text: str) -> str:
    """The text with what isn't seen marked as ‹U+202E›, or taken out where that loses little."""
    return _RUN.sub(lambda run: _spelled(_NOTHING_LOST.sub("", run[0])), text)


def _spelled(letters: str) -> str:
    if len(letters) > 3:
        return f"‹U+{ord(letters[0]):04X} and {len(letters) - 1} more that aren't seen›"
    return "".join(" " if letter in "\r\x0b\x0c\x85\u2028\u2029" else f"‹U+{ord(letter):04X}›" for letter in letters)
