"""What the styles of a Word document say of its text: its level as a heading, and whether anybody sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_SMALLEST = 2
"""Half points; nobody reads a letter of a point."""
_WHITE = frozenset(("ffffff", "fefefe"))


@dataclass(frozen=True, slots=True)
class Style:
    """What a style says of its text, with what it takes from the ones it is based on."""

    hidden: bool = False
    colour: str = ""
    size: int | None = None
    shaded: bool = False
    outline: int | None = None


def styles_of(document: Any) -> dict[str, Style]:
    declared = {style.get(f"{W}styleId"): style for style in document.styles.element.iter(f"{W}style")}
    found: dict[str, Style] = {}
    for name in declared:
        chain: list[Any] = []
        at: str | None = name
        while at in declared and declared[at] not in chain:
            chain.insert(0, declared[at])
            based = declared[at].find(f"{W}basedOn")
            at = based.get(f"{W}val") if based is not None else None
        said = Style()
        for style in chain:
            said = over(said, style.find(f"{W}rPr"), style.find(f"{W}pPr"))
            if style.get(f"{W}type") == "table" and any(_is_shade(shade) for shade in style.iter(f"{W}shd")):
                said = Style(said.hidden, said.colour, said.size, True, said.outline)
        found[name] = said
    return found


def over(below: Style, run_properties: Any, paragraph_properties: Any = None) -> Style:
    """What holds where these properties come on top of a style."""
    hidden, colour, size, shaded, outline = below.hidden, below.colour, below.size, below.shaded, below.outline
    if run_properties is not None:
        if (vanish := run_properties.find(f"{W}vanish")) is not None:
            hidden = is_on(vanish)
        if (told := run_properties.find(f"{W}color")) is not None:
            colour = (told.get(f"{W}val") or "").lower()
        if (told := run_properties.find(f"{W}sz")) is not None and (told.get(f"{W}val") or "").isdigit():
            size = int(told.get(f"{W}val"))
        shaded = shaded or any(_is_shade(run_properties.find(f"{W}{name}")) for name in ("shd", "highlight"))
    if paragraph_properties is not None:
        shaded = shaded or _is_shade(paragraph_properties.find(f"{W}shd"))
        if (told := paragraph_properties.find(f"{W}outlineLvl")) is not None and (told.get(f"{W}val") or "").isdigit():
            outline = int(told.get(f"{W}val"))
    return Style(hidden, colour, size, shaded, outline)


def is_on(element: Any) -> bool:
    return (element.get(f"{W}val") or "true").lower() not in ("0", "false", "off")


def _is_shade(shade: Any) -> bool:
    """Whether a shading or a highlight is of any colour but white."""
    if shade is None:
        return False
    fill = (shade.get(f"{W}fill") or shade.get(f"{W}val") or "").lower()
    return bool(shade.get(f"{W}themeFill")) or fill not in ("", "auto", "clear", "none", "white", *_WHITE)


def is_unseen(each: Any, base: Style, styles: dict[str, Style], ground: bool) -> bool:
    own = each.find(f"{W}rPr")
    if own is None and not (base.hidden or base.colour in _WHITE or (base.size or 99) <= _SMALLEST):
        return False
    look = base
    if own is not None and (named := own.find(f"{W}rStyle")) is not None:
        style = styles.get(named.get(f"{W}val"), Style())
        look = Style(
            look.hidden or style.hidden,
            style.colour or look.colour,
            style.size if style.size is not None else look.size,
            look.shaded or style.shaded,
            look.outline,
        )
    look = over(look, own)
    if look.hidden or (look.size is not None and look.size <= _SMALLEST):
        return True
    return look.colour in _WHITE and not look.shaded and not ground and not _stands_on_colour(each, styles)


def _stands_on_colour(each: Any, styles: dict[str, Style]) -> bool:
    """Whether a cell, a row or a table around this run may be coloured."""
    for up in each.iterancestors(f"{W}tc", f"{W}tbl"):
        properties = up.find(f"{W}tcPr" if up.tag == f"{W}tc" else f"{W}tblPr")
        if properties is not None and _is_shade(properties.find(f"{W}shd")):
            return True
        named = properties.find(f"{W}tblStyle") if properties is not None else None
        if named is not None and (style := styles.get(named.get(f"{W}val"))) and style.shaded:
            return True
    return False
