"""Values of spreadsheet cells as the sheet shows them: the part of Excel's number formats that changes what one reads.

Dates are written as ISO 8601, since 03/04/2024 is read as two different days; months and years alone as the sheet does.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any, NamedTuple

_TOKEN = re.compile(r'"([^"]*)"|\\(.)|_.|\*.|\[\$([^\]\-]*)[^\]]*\]|\[[^\]]*\]|(E[+-]0+)|([0#?.,/]+)|(%)|(.)')
_MONTHS = "January February March April May June July August September October November December".split()
_GENERAL_DIGITS = 10
_LONGEST_INTEGER = 10**15


class _Shape(NamedTuple):
    """One section of a format: what stands before and behind the digits, and how the digits are written."""

    before: str
    behind: str
    least: int
    places: int
    grouped: bool
    divisor: int
    percent: int
    exponent: bool
    digits: bool


def shown(value: Any, shape: str) -> str:
    """The text that a cell with this value and number format shows."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime | date | time | timedelta):
        return _moment(value, shape)
    if isinstance(value, int | float):
        return _number(value, shape)
    return str(value)


def _moment(value: datetime | date | time | timedelta, shape: str) -> str:
    if isinstance(value, timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}" + (f":{seconds:02}" if seconds or "s" in shape.lower() else "")
    if isinstance(value, time):
        return value.isoformat("seconds" if value.second else "minutes")
    letters = re.sub(r'"[^"]*"|\[[^\]]*\]|\\.', "", shape.split(";")[0]).lower()
    if "d" not in letters and "h" not in letters and "y" in letters:
        return f"{_MONTHS[value.month - 1]} {value.year}" if "m" in letters else str(value.year)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "minutes")
    return value.isoformat()


def _number(value: float, shape: str) -> str:
    if value != value or value in (float("inf"), float("-inf")):
        return str(value)
    sections = _sections(shape)
    if not sections or shape in ("General", "@"):
        return _general(value)
    section, figure = sections[0], value
    if value < 0 and len(sections) > 1 and sections[1].digits:
        section, figure = sections[1], -value
    elif value == 0 and len(sections) > 2:
        section = sections[2]
    if not section.digits:
        text = (section.before + section.behind).strip()
        return text if text and value == 0 else _general(value)
    sign = "-" if figure < 0 else ""
    return f"{sign}{section.before}{_digits(abs(figure), section)}{section.behind}".strip()


def _digits(figure: float, section: _Shape) -> str:
    if section.exponent:
        return f"{figure:.{section.places}E}"
    exact = Decimal(repr(figure)) * (Decimal(100) ** section.percent) / section.divisor
    rounded = exact.quantize(Decimal(1).scaleb(-section.places), rounding=ROUND_HALF_UP)
    whole, _, fraction = f"{rounded:f}".partition(".")
    whole = whole.zfill(section.least)
    if section.grouped:
        whole = f"{int(whole):,}".zfill(section.least)
    return f"{whole}.{fraction}" if fraction else whole


def _general(value: float) -> str:
    if isinstance(value, int) or (value == int(value) and abs(value) < _LONGEST_INTEGER):
        return str(int(value))
    return f"{value:.{_GENERAL_DIGITS}g}"


@lru_cache(maxsize=1024)
def _sections(shape: str) -> tuple[_Shape, ...]:
    found: list[_Shape] = []
    for section in re.split(r';(?=(?:[^"]*"[^"]*")*[^"]*$)', shape):
        if "/" in re.sub(r'"[^"]*"|\[[^\]]*\]', "", section):
            return ()
        found.append(_shape(section))
    return tuple(found) if any(each.digits for each in found) else ()


def _shape(section: str) -> _Shape:
    before, behind, pattern = "", "", ""
    percent, exponent = 0, False
    for quoted, escaped, currency, power, digits, per_cent, other in _TOKEN.findall(section):
        if digits and re.search(r"[0#?]", digits):
            pattern += digits
            continue
        if power:
            exponent = True
            continue
        percent += bool(per_cent)
        literal = quoted or escaped or currency or per_cent or (other if other not in "?" else "") or digits
        if pattern:
            behind += literal
        else:
            before += literal
    scaled = pattern.rstrip(",")
    bare, _, fraction = scaled.partition(".")
    return _Shape(
        before,
        behind,
        max(1, bare.count("0")) if bare.count("0") or not bare else 1,
        sum(c in "0?" for c in fraction),
        "," in bare,
        1000 ** (len(pattern) - len(scaled)),
        percent,
        exponent,
        bool(pattern),
    )
