"""What a reader of a web page doesn't see: parts hidden by attribute or style, text in the colour of its ground, and
the site's own furniture around the page.

Style sheets count as far as they stand in the page and select by tag, class and id, which is how text is hidden in
saved pages and mails; nothing is fetched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ingest.read.web.furniture import NEVER_SHOWN, furniture_of

HIDDEN_TAG = "ragapp-hidden"
"""Element that holds hidden text where it stood; made here and read by the walk over the page."""

_SELECTOR = re.compile(r"^([a-z][a-z0-9]*|\*)?((?:[.#][\w-]+)*)$", re.IGNORECASE)
_PART = re.compile(r"([.#])([\w-]+)")
_RGB = re.compile(r"rgba?\(\s*(\d+)\s*[, ]\s*(\d+)\s*[, ]\s*(\d+)\s*(?:[,/]\s*([\d.]+%?)\s*)?\)")
_SIZE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(px|pt|em|rem|%)?$")
_SMALLEST = {"px": 1.0, "pt": 1.0, "em": 0.05, "rem": 0.05, "%": 5.0, "": 0.0}
"""Font sizes up to these, by unit, can't be read."""
_NAMED = {"white": "ffffff", "black": "000000", "transparent": ""}


@dataclass(frozen=True, slots=True)
class _Rule:
    tag: str
    classes: frozenset[str]
    ids: frozenset[str]
    styles: dict[str, str]

    @property
    def weight(self) -> tuple[int, int, int]:
        return len(self.ids), len(self.classes), int(bool(self.tag))

    @property
    def key(self) -> str:
        """The rarest thing that it asks of an element, by which it is looked up."""
        for mark, names in (("#", self.ids), (".", self.classes)):
            if names:
                return mark + min(names)
        return self.tag or "*"


_Rules = dict[str, list[tuple[int, _Rule]]]
"""Rules by what they ask for, each with its place in the order of weight."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What an element hands on to what stands in it."""

    colour: str = "000000"
    ground: str = "ffffff"
    tiny: bool = False
    """Of no size; what stands in it may have one of its own."""
    faint: bool = False
    """Fully transparent, with all that stands in it."""


def mark_hidden(root: Any) -> bool:
    """Put every text that a reader of the page doesn't see into HIDDEN_TAG elements, in place; whether any was hidden
    by a style, which is worth a note (the site's furniture is not)."""
    rules = _rules(root)
    furniture = furniture_of(root)
    hid = False
    looks: list[tuple[Any, _Look]] = [(root, _Look())]
    while looks:
        element, above = looks.pop()
        if not isinstance(element.tag, str) or element.tag in NEVER_SHOWN or element.tag == HIDDEN_TAG:
            continue
        styles = _styles(element, rules)
        if element is not root and (_is_hidden(element, styles) or element in furniture):
            hid = (_bury(element) and element not in furniture) or hid
            continue
        look = _look(element, styles, above)
        children = list(element)
        if look.tiny or look.faint or (look.colour == look.ground and look.ground):
            hid = _bury_own_text(element) or hid
        looks += [(child, look) for child in children]
    return hid


def _is_hidden(element: Any, styles: dict[str, str]) -> bool:
    return (
        "hidden" in element.attrib
        or element.get("aria-hidden", "").lower() == "true"
        or styles.get("display") == "none"
        or styles.get("visibility") in ("hidden", "collapse")
        or styles.get("mso-hide") == "all"
    )


def _look(element: Any, styles: dict[str, str], above: _Look) -> _Look:
    colour = _colour(styles.get("color") or (element.get("color", "") if element.tag == "font" else ""))
    ground = above.ground
    for name in ("background-color", "background"):
        if name in styles:
            # a picture or a gradient may be of any colour, so nothing on it is taken for hidden
            ground = _colour(styles[name]) or ("" if re.search(r"url\(|gradient", styles[name]) else ground)
    if "background-image" in styles and styles["background-image"] != "none":
        ground = ""
    ground = "" if element.get("background") else _colour(element.get("bgcolor", "")) or ground
    size = _SIZE.match(styles.get("font-size", ""))
    tiny = float(size.group(1)) <= _SMALLEST[size.group(2) or ""] if size else above.tiny
    faint = above.faint or bool(re.fullmatch(r"0*\.?0+%?", styles.get("opacity", "1")))
    return _Look(colour or above.colour, ground, tiny, faint)


def _colour(value: str) -> str:
    """Six hexadecimal digits; empty for what isn't known."""
    for word in value.lower().replace("!important", "").split() if not value.lower().startswith("rgb") else [value]:
        if word in _NAMED:
            return _NAMED[word]
        if found := re.fullmatch(r"#([0-9a-f]{3}|[0-9a-f]{6})", word):
            digits = found.group(1)
            return digits if len(digits) == 6 else "".join(digit * 2 for digit in digits)
    if found := _RGB.match(value.lower()):
        return "".join(f"{min(255, int(part)):02x}" for part in found.groups()[:3])
    return ""


def _styles(element: Any, rules: _Rules) -> dict[str, str]:
    """The element's own styles: of the page's rules the weightier wins, then what stands at the element itself."""
    styles: dict[str, str] = {}
    if rules:
        classes, name = frozenset((element.get("class") or "").split()), element.get("id") or ""
        keys = ["*", element.tag, *(f".{each}" for each in classes), *([f"#{name}"] if name else [])]
        candidates = [found for key in keys for found in rules.get(key, ())]
        for _, rule in sorted(candidates, key=lambda found: found[0]) if len(candidates) > 1 else candidates:
            if (
                (not rule.tag or rule.tag == element.tag)
                and rule.classes <= classes
                and all(each == name for each in rule.ids)
            ):
                styles |= rule.styles
    if own := element.get("style"):
        styles |= _declared(own)
    return styles


def _declared(text: str) -> dict[str, str]:
    pairs = (part.split(":", 1) for part in text.split(";") if ":" in part)
    return {
        name.strip().lower(): value.replace("!important", "").strip().lower()
        for name, value in pairs
        if not value.strip().startswith("inherit")
    }


_TELLING = frozenset(
    "display visibility mso-hide color background background-color background-image opacity font-size".split()
)


def _rules(root: Any) -> _Rules:
    found: list[_Rule] = []
    for sheet in root.iter("style"):
        text = "".join(sheet.itertext()).replace("<!--", "").replace("-->", "")
        for part in _without_conditions(_without_comments(text)).split("}"):
            selectors, _, body = part.partition("{")
            styles = {name: value for name, value in _declared(body).items() if name in _TELLING}
            if not styles:
                continue
            for selector in selectors.split(","):
                shape = _SELECTOR.match(selector.strip())
                if shape and selector.strip():
                    parts = _PART.findall(shape.group(2))
                    tag = (shape.group(1) or "").lower()
                    found.append(
                        _Rule(
                            "" if tag == "*" else tag,
                            frozenset(name for mark, name in parts if mark == "."),
                            frozenset(name for mark, name in parts if mark == "#"),
                            styles,
                        )
                    )
    ordered: _Rules = {}
    for place, rule in enumerate(sorted(found, key=lambda rule: rule.weight)):
        ordered.setdefault(rule.key, []).append((place, rule))
    return ordered


def _without_comments(sheet: str) -> str:
    first, *rest = sheet.split("/*")
    return first + "".join(part.partition("*/")[2] for part in rest)


def _without_conditions(sheet: str) -> str:
    """The rules that always hold: those for print, narrow screens and other conditions left out."""
    kept: list[str] = []
    position, opening, ending = 0, -2, -2
    while (at := sheet.find("@", position)) >= 0:
        kept.append(sheet[position:at])
        # looked for again only where passed, so that a sheet of nothing but "@" is not read over and over
        opening = sheet.find("{", at) if -1 != opening < at else opening
        ending = sheet.find(";", at) if -1 != ending < at else ending
        if opening < 0 or (0 <= ending < opening):
            position = ending + 1 if ending >= 0 else len(sheet)
            continue
        depth, position = 1, opening + 1
        while depth and position < len(sheet):
            depth += {"{": 1, "}": -1}.get(sheet[position], 0)
            position += 1
    return "".join((*kept, sheet[position:]))


def _bury(element: Any) -> bool:
    """The element as one that holds nothing but its hidden text; whether there is any."""
    text = "".join(_outside_unseen(element))
    tail = element.tail
    for child in list(element):
        element.remove(child)
    for name in list(element.attrib):
        del element.attrib[name]
    element.tag, element.text, element.tail = HIDDEN_TAG, " ".join(text.split()), tail
    return bool(element.text)


def _outside_unseen(element: Any) -> list[str]:
    """Texts in order, without scripts and their like."""
    from lxml import etree

    parts: list[str] = []
    events = etree.iterwalk(element, events=("start", "end"))
    for event, each in events:
        if event == "start":
            if not isinstance(each.tag, str) or each.tag in NEVER_SHOWN:
                events.skip_subtree()
            else:
                parts.append(each.text or "")
        elif each is not element:
            parts.append(f" {each.tail or ''}" if each.tag != HIDDEN_TAG else (each.tail or ""))
    return parts


def _bury_own_text(element: Any) -> bool:
    """The element's own words, not those of what stands in it, into hidden elements of their own."""
    from lxml import etree

    hid = False

    def buried(text: str) -> Any:
        hidden = etree.Element(HIDDEN_TAG)
        hidden.text = " ".join(text.split())
        return hidden

    for child in list(element):
        if child.tail and child.tail.strip():
            hidden = buried(child.tail)
            child.tail = " "
            element.insert(element.index(child) + 1, hidden)
            hid = True
    if element.text and element.text.strip():
        hidden = buried(element.text)
        element.text = ""
        element.insert(0, hidden)
        hid = True
    return hid
