"""The furniture of a web site around a page's own text: found by what the page calls it, never by its looks."""

from __future__ import annotations

import re
from typing import Any

NEVER_SHOWN = frozenset("script style noscript template head svg iframe object embed canvas audio video select".split())
_FURNITURE_ROLES = frozenset(("banner", "contentinfo", "complementary"))
_CONSENT = re.compile(r"cookie|consent|gdpr|onetrust|cmp-?(?:banner|container)", re.IGNORECASE)
_LONGEST_BANNER = 2500
"""Characters; a longer part that is named after cookies is a page about them."""
_LINKS = frozenset(("navigation", "menu", "menubar", "search"))
_BESIDE = frozenset(("header", "footer", "aside"))


def furniture_of(root: Any) -> set[Any]:
    """Navigation, requests for consent, the head, foot and sides of the site; nothing where they are all there is."""
    body = root.find("body") if root.tag == "html" else root
    if body is None:
        return set()
    mains = _mains(body)
    around = {outer for main in mains for outer in main.iterancestors()}
    titled = any(main.find(".//h1") is not None for main in mains)
    found: set[Any] = set()
    waiting = [(body, False)]
    while waiting:
        element, within = waiting.pop()
        if not isinstance(element.tag, str) or element.tag in NEVER_SHOWN:
            continue
        if element is not body and element not in around:
            role = (element.get("role") or "").lower()
            beside = bool(mains) and not within and (element.tag in _BESIDE or role in _FURNITURE_ROLES)
            if element.tag == "nav" or role in _LINKS or _asks_consent(element):
                found.add(element)
                continue
            # the page's only great heading often stands in the site's head
            if beside and (titled or element.find(".//h1") is None):
                found.add(element)
                continue
        waiting += [(child, within or element in mains) for child in element]
    # a page of nothing but links is its own content
    return found if _length(body) > sum(map(_length, found)) else set()


def _mains(body: Any) -> list[Any]:
    """The outermost parts that the page calls its text."""
    found: list[Any] = []
    waiting = [body]
    while waiting:
        element = waiting.pop()
        if isinstance(element.tag, str):
            if (element.tag in ("main", "article") or element.get("role") == "main") and _length(element):
                found.append(element)
            else:
                waiting += list(element)
    return found


def _asks_consent(element: Any) -> bool:
    if element.tag not in ("div", "section", "aside", "dialog", "form"):
        return False
    names = f"{element.get('id') or ''} {element.get('class') or ''} {element.get('aria-label') or ''}"
    return (
        bool(_CONSENT.search(names))
        and _length(element) <= _LONGEST_BANNER
        and element.find(".//h1") is None
        and any(element.find(f".//{control}") is not None for control in ("button", "a", "input"))
    )


def _length(element: Any) -> int:
    return sum(len(text.strip()) for text in _shown_texts(element))


def _shown_texts(element: Any) -> list[str]:
    texts: list[str] = []
    waiting = [element]
    while waiting:
        each = waiting.pop()
        if isinstance(each.tag, str) and each.tag not in NEVER_SHOWN:
            texts.append(each.text or "")
            for child in each:
                waiting.append(child)
                texts.append(child.tail or "")
    return texts
