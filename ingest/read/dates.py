"""The date that a document gives itself, where it says so in as many words; nothing is guessed from other dates."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_MONTHS = {
    name: month
    for month, names in enumerate(
        (
            "january jan januar janvier enero gennaio januari janeiro",
            "february feb februar février fevrier febrero febbraio februari fevereiro",
            "march mar märz maerz mrz mars marzo maart março",
            "april apr avril abril aprile",
            "may mai mayo maggio mei maio",
            "june jun juni juin junio giugno junho",
            "july jul juli juillet julio luglio julho",
            "august aug août aout agosto augustus",
            "september sep sept septembre septiembre settembre setembro",
            "october oct oktober okt octobre octubre ottobre outubro",
            "november nov novembre noviembre novembro",
            "december dec dezember dez décembre decembre diciembre dicembre dezembro",
        ),
        start=1,
    )
    for name in names.split()
}
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_ISO = r"(?P<y1>\d{4})-(?P<m1>\d{1,2})-(?P<d1>\d{1,2})(?!\d)"
_DAY_FIRST = (
    rf"(?P<d2>\d{{1,2}})(?:st|nd|rd|th|\.)?\s+(?:of\s+|de\s+)?(?P<m2>{_MONTH})\.?,?\s+(?:de\s+)?(?P<y2>\d{{4}})"
)
_MONTH_FIRST = rf"(?P<m3>{_MONTH})\.?\s+(?P<d3>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<y3>\d{{4}})"
_DOTTED = r"(?P<d4>\d{1,2})\.(?P<m4>\d{1,2})\.(?P<y4>\d{4})"
_MONTH_ONLY = (
    rf"(?P<y5>\d{{4}})-(?P<m5>\d{{2}})(?![\d-])|(?P<m6>\d{{2}})/(?P<y6>\d{{4}})|"
    rf"(?P<m7>{_MONTH})\.?\s+(?P<y7>\d{{4}})"
)
_DATE = re.compile(
    rf"(?<![\w./-])(?:{_ISO}|{_DAY_FIRST}|{_MONTH_FIRST}|{_DOTTED}|{_MONTH_ONLY})(?![\d/])", re.IGNORECASE
)
_LABEL = re.compile(
    r"(?:^\W*|[.,;(]\s+)(?:(?:document|issue|report|revision|publication|release|policy|meeting)?\s*"
    r"date(?:\s+of\s+(?:issue|publication|signature|report|the\s+meeting)|(?!\s+of\b))|dated|"
    r"effective(?:\s+(?:date|from|as\s+of))?|valid\s+from|in\s+force\s+(?:from|since)|"
    r"(?:last\s+)?(?:updated|revised|modified|reviewed)(?:\s+on)?|published(?:\s+on)?|issued(?:\s+on)?|(?:as|state)\s+(?:of|at)|"
    r"version|edition|revision|rev\.?|release|stand|datum|ausgabe|gültig\s+ab|gueltig\s+ab|in\s+kraft\s+(?:seit|ab)|"
    r"fassung(?:\s+vom)?|erstellt\s+am|fecha|vigente\s+desde|date\s+d['’]effet|mise\s+à\s+jour|data|ingangsdatum|versie)"
    r"\b",
    re.IGNORECASE,
)
_NEAR_TOP = 1200
"""Characters from the top in which a document states its own date."""
_NEAR_LABEL = 18
"""Characters between a label and its date; further away stands another matter's date."""
_SHORT = 140
"""Characters; in a longer clause only a label at its start counts, as others belong to a sentence about something."""
_CLAUSE = re.compile(r"\s*[|;·•–—]\s*|(?<=[^\d\s])\.\s+(?=[A-Z])|\t")


def own_date(text: str) -> datetime | None:
    """The first date near the top that a label announces: "Effective date: 1 March 2024", "Stand: 01.03.2024".

    Midnight UTC, the month's first day where only a month is given; None where no line says so, or where day and month
    could be confused (03/04/2024).
    """
    for line in text[:_NEAR_TOP].split("\n"):
        for clause in _CLAUSE.split(line):
            for label in _LABEL.finditer(clause):
                if label.start() and len(clause) > _SHORT:
                    break
                found = _DATE.search(clause, label.end())
                if found and found.start() - label.end() <= _NEAR_LABEL and (moment := _moment(found)):
                    return moment
    return None


def dated_title(title: str) -> datetime | None:
    """The date that a title ends with: "Minutes of the board, 20 February 2025"."""
    found = list(_DATE.finditer(title))
    return _moment(found[-1]) if found and _has_day(found[-1]) and not title[found[-1].end() :].strip(" .)") else None


def _has_day(found: re.Match[str]) -> bool:
    return any(found[f"d{number}"] for number in "1234")


def parse_date(text: str) -> datetime | None:
    """A date that stands alone in a field, such as front matter's; midnight UTC."""
    found = _DATE.match(text.strip())
    return _moment(found) if found else None


def _moment(found: re.Match[str]) -> datetime | None:
    for number in "1234567":
        if found[f"y{number}"]:
            day = found[f"d{number}"] if number < "5" else "1"
            month = found[f"m{number}"].lower()
            try:
                return datetime(
                    int(found[f"y{number}"]),
                    int(month) if month.isdigit() else _MONTHS[month],
                    int(day),
                    tzinfo=UTC,
                )
            except ValueError:
                return None
    return None
