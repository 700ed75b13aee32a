"""Office equations on one line, as one would say them in a mail: (a+b)/2, x^2, √(y), sum from i=1 to n."""

from __future__ import annotations

from typing import Any

_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_DEEPEST = 40


def linear(element: Any, depth: int = 0) -> str:
    """The text of an equation; fractions, powers, indices, roots, sums and matrices by signs."""
    if depth > _DEEPEST:
        return "".join(element.itertext())
    tag = str(element.tag).removeprefix(_M)

    def part(name: str) -> str:
        found = element.find(f"{_M}{name}")
        return linear(found, depth + 1) if found is not None else ""

    if tag == "t":
        return element.text or ""
    if tag == "f":
        return f"{_grouped(part('num'))}/{_grouped(part('den'))}"
    if tag in ("sSup", "sSub", "sSubSup", "sPre"):
        below, above = part("sub"), part("sup")
        return part("e") + (f"_{_grouped(below)}" if below else "") + (f"^{_grouped(above)}" if above else "")
    if tag == "rad":
        degree = part("deg")
        return f"{degree}√({part('e')})"
    if tag == "nary":
        sign = element.find(f"{_M}naryPr/{_M}chr")
        below, above = part("sub"), part("sup")
        shown = (sign.get(f"{_M}val") or "∫") if sign is not None else "∫"
        return (
            shown
            + (f"_{_grouped(below)}" if below else "")
            + (f"^{_grouped(above)}" if above else "")
            + " "
            + part("e")
        )
    if tag == "d":
        marks = {name: element.find(f"{_M}dPr/{_M}{name}Chr") for name in ("beg", "end")}
        left, right = (
            mark.get(f"{_M}val", "") if mark is not None else default
            for mark, default in ((marks["beg"], "("), (marks["end"], ")"))
        )
        return left + ", ".join(linear(each, depth + 1) for each in element.findall(f"{_M}e")) + right
    if tag == "mr":
        return ", ".join(linear(each, depth + 1) for each in element.findall(f"{_M}e")) + "; "
    return "".join(linear(child, depth + 1) for child in element if isinstance(child.tag, str))


def _grouped(text: str) -> str:
    return text if len(text) < 2 or text.isalnum() else f"({text})"
