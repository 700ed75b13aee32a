"""What a mail's writer wrote apart from the older mails below: these stay, each under a heading of its own.

The newest text comes first, so that it is what is found and cited as the mail's; answers between quoted lines stay
where they are, since alone they would answer nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ingest.read.blocks import Block, block, clean, one_line
from ingest.read.text.plain import read_text

QUOTED_LEVEL = 2
_DIVIDER = re.compile(
    r"^\s*-{2,}\s*(?:original message|original appointment|forwarded message|forwarded by\b.*|ursprüngliche nachricht|"
    r"weitergeleitete nachricht|originalnachricht|message d['’]origine|message transféré|mensaje original|"
    r"messaggio originale|oorspronkelijk bericht|mensagem original)\s*-{2,}\s*$"
    r"|^\s*(?:begin forwarded message|anfang der weitergeleiteten nachricht|début du message réexpédié)\s*:\s*$",
    re.IGNORECASE,
)
_WROTE = re.compile(
    r"^\s*(?:on|am|le|el|il|op|em|den)\b.{6,250}?(?:wrote|schrieb(?: .{1,80})?|a écrit|escribió|ha scritto|"
    r"schreef.{0,80}|escreveu|skrev.{0,80})\s*:\s*$"
    r"|^.{3,160}\b(?:wrote|schrieb|a écrit|escribió)\s*:\s*$",
    re.IGNORECASE | re.DOTALL,
)
_FIELD = re.compile(
    r"^[\s*>]*(from|sent|to|cc|date|subject|von|gesendet|an|kopie|datum|betreff|de|envoyé|à|objet|para|enviado|asunto|da|"
    r"inviato|oggetto|van|verzonden|aan|onderwerp)\s*\*?\s*:\*?\s*(.*)$",
    re.IGNORECASE,
)
_SENDERS = frozenset(("from", "von", "de", "da", "van"))
_TIMES = frozenset(("sent", "date", "gesendet", "datum", "envoyé", "enviado", "inviato", "verzonden"))
_FEWEST_FIELDS = 3
_MARK = re.compile(r"^[ \t]*>[ ]?")
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class _Part:
    heading: str
    """Empty for the writer's own text."""
    lines: tuple[str, ...]


def mail_text(text: str) -> list[Block]:
    """Blocks of a plain-text body: the writer's own words, then the mails that they answer or hand on."""
    blocks: list[Block] = []
    for part in _parts(clean(text).split("\n"), 0):
        if part.heading:
            blocks += block("title", f"Quoted: {part.heading}", level=QUOTED_LEVEL)
        blocks += read_text("\n".join(part.lines)).blocks
    return [replace(b, level=max(b.level, QUOTED_LEVEL + 1)) if _is_inner_title(b) else b for b in blocks]


def _is_inner_title(piece: Block) -> bool:
    return piece.kind == "title" and not piece.text.startswith("Quoted: ")


def _parts(lines: list[str], depth: int) -> Iterator[_Part]:
    """The parts of one mail's lines: its own, and each older one."""
    at = next((number for number in range(len(lines)) if _opens(lines, number)), None)
    marked = [number for number, line in enumerate(lines) if _MARK.match(line)]
    if depth >= _DEEPEST or (at is None and not marked):
        yield _Part("", tuple(lines))
        return
    if marked and (at is None or marked[0] <= _below_heading(lines, at) + 1):
        yield from _marked(lines, marked, at, depth)
        return
    assert at is not None
    heading, below = _heading(lines, at)
    yield _Part("", tuple(lines[:at]))
    yield from _older(heading, lines[below:], depth)


def _marked(lines: list[str], marked: list[int], at: int | None, depth: int) -> Iterator[_Part]:
    """A mail whose quoted lines begin with ">": one run of them is an older mail, several are answered in between."""
    first, last = marked[0], marked[-1]
    between = [n for n in range(first, last) if lines[n].strip() and not _MARK.match(lines[n])]
    heading = one_line(" ".join(lines[at:first])) if at is not None else "an earlier mail"
    if between:
        yield _Part("", tuple(lines))
        return
    above = lines[:at] if at is not None else lines[:first]
    yield _Part("", (*above, "", *lines[last + 1 :]))
    yield from _older(heading.rstrip(":"), [_MARK.sub("", line) for line in lines[first : last + 1]], depth)


def _older(heading: str, lines: list[str], depth: int) -> Iterator[_Part]:
    first, *rest = _parts(lines, depth + 1)
    yield replace(first, heading=heading)
    yield from rest


def _opens(lines: list[str], number: int) -> bool:
    """Whether an older mail begins at this line."""
    line = lines[number]
    if _DIVIDER.match(line):
        return True
    if _MARK.match(line) or not line.strip():
        return False
    if _WROTE.match(line) or (number + 1 < len(lines) and _is_wrapped(line, lines[number + 1])):
        return any(each.strip() for each in lines[number + 1 :])
    return bool(_fields(lines, number))


def _is_wrapped(line: str, after: str) -> bool:
    """An introduction that a mail program broke into two lines."""
    return bool(
        re.match(r"\s*(?:on|am|le|el|il|op|em|den)\s.*\d", line, re.IGNORECASE) and _WROTE.match(f"{line} {after}")
    )


def _below_heading(lines: list[str], at: int) -> int:
    return _heading(lines, at)[1]


def _heading(lines: list[str], at: int) -> tuple[str, int]:
    """What introduces the older mail that begins at a line, and where its text does."""
    if _DIVIDER.match(lines[at]):
        start = next((n for n in range(at + 1, len(lines)) if lines[n].strip()), len(lines))
        if fields := _fields(lines, start):
            return _said(fields), start + len(fields)
        return one_line(lines[at].strip(" -:")), at + 1
    if fields := _fields(lines, at):
        return _said(fields), at + len(fields)
    if _WROTE.match(lines[at]):
        return one_line(lines[at]).rstrip(": "), at + 1
    return one_line(f"{lines[at]} {lines[at + 1]}").rstrip(": "), at + 2


def _fields(lines: list[str], start: int) -> list[tuple[str, str]]:
    """The header lines that begin here, if they are those of a mail."""
    found: list[tuple[str, str]] = []
    for line in lines[start : start + 10]:
        field = _FIELD.match(line)
        if not field:
            break
        found.append((field.group(1).lower(), field.group(2).strip(" *")))
    names = {name for name, _ in found}
    whole = len(names) >= _FEWEST_FIELDS and names & _SENDERS and names & _TIMES
    return found if whole and found[0][0] in _SENDERS | _TIMES else []


def _said(fields: list[tuple[str, str]]) -> str:
    sender = next(value for name, value in fields if name in _SENDERS)
    time = next(value for name, value in fields if name in _TIMES)
    subject = next((v for n, v in fields if n in ("subject", "betreff", "objet", "asunto", "oggetto", "onderwerp")), "")
    return f"on {time} {sender} wrote" + (f" ({subject})" if subject else "")


def mail_blocks(blocks: tuple[Block, ...]) -> list[Block]:
    """Blocks of an HTML body with a heading before each older mail; what it says is the page's own."""
    found: list[Block] = []
    for number, piece in enumerate(blocks):
        lines = piece.text.split("\n")
        if piece.hidden or piece.kind not in ("text", "title", "list_item"):
            found.append(piece)
            continue
        at = next((n for n in range(len(lines)) if _opens([*lines, "…"], n)), None)
        if at is None or (number == len(blocks) - 1 and at == len(lines) - 1 and not _DIVIDER.match(lines[at])):
            found.append(piece)
            continue
        heading, below = _heading([*lines, "…"], at)
        found += block(piece.kind, "\n".join(lines[:at]), level=piece.level)
        found += block("title", f"Quoted: {heading}", level=QUOTED_LEVEL)
        found += block("text", "\n".join(lines[below:]))
    return found
