"""Text that others wrote, for the places where Streamlit would read Markdown: labels, messages, captions."""

from __future__ import annotations

import unicodedata

from ui.parts.unseen import seen

_MARKS = frozenset("\\`*_{}[]()<>#+-.!|~:$^&@\"'/=")


def plain(text: str) -> str:
    """The same text with nothing in it that formats, links, or names an icon; on one line, without control characters.

    A link is never made of it either: an address is broken by the backslashes before its colon and slashes.
    """
    shown = "".join(" " if unicodedata.category(letter) in ("Cc", "Zl", "Zp") else letter for letter in text)
    shown = seen("".join(letter for letter in shown if unicodedata.category(letter) not in ("Cf", "Cs", "Co")))
    return "".join(f"\\{letter}" if letter in _MARKS else letter for letter in " ".join(shown.split()))
