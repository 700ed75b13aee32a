"""E-mail: the few headers that a reader looks at, then the body; attachments are named here and opened by
ingest.unpack.attachments.

unstructured's partitioners leave sender and recipients out of the text and raise on pictures that are attached.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import BinaryIO

from ingest.read.blocks import Block, Draft, block, one_line
from ingest.read.encoding import decode
from ingest.read.mail.headers import as_ascii_headers, date_of, header, msg_headers
from ingest.read.mail.parts import attached_names
from ingest.read.mail.quoted import mail_blocks, mail_text
from ingest.read.web.markup import read_html
from ragapp.errors import KeptOut

_HEADERS = ("From", "To", "Cc", "Date", "Subject")


def read_eml(raw: bytes, limit: int) -> Draft:
    """Blocks of an .eml file; its title is the subject, its date the Date header. Raises KeptOut for a body of more
    than `limit` bytes."""
    message = BytesParser(policy=policy.default).parsebytes(as_ascii_headers(raw))
    headers = {name: one_line(value) for name in _HEADERS if (value := header(message, name))}
    if any(len(part.get_payload()) > 2 * limit for part in _text_parts(message, choose=False)):
        raise KeptOut(f"holds more than {limit / 2**20:.0f} MiB of text, the most (ingest.max_text_mib)")
    bodies = list(_bodies(message))
    names = list(attached_names(message))
    return _mail(headers, bodies, names, date_of(header(message, "Date")))


def _bodies(message: EmailMessage) -> Iterator[Draft]:
    """The text parts in order; of alternatives the HTML one, which keeps headings and tables, unless it is empty."""
    for part in _text_parts(message):
        draft = _part(part)
        if draft.blocks:
            yield draft


def _text_parts(part: EmailMessage, *, choose: bool = True) -> Iterator[EmailMessage]:
    kind = part.get_content_type()
    if kind == "multipart/alternative" and choose:
        options = [list(_text_parts(option)) for option in part.iter_parts() if isinstance(option, EmailMessage)]
        full = [found for found in options if any(_part(one).blocks for one in found)]
        yield from full[-1] if full else []
    elif part.is_multipart():
        for inner in part.iter_parts() if part.get_content_maintype() == "multipart" else part.iter_attachments():
            if isinstance(inner, EmailMessage):
                yield from _text_parts(inner, choose=choose)
    elif kind in ("text/plain", "text/html") and not (part.is_attachment() or part.get_filename()):
        yield part


def _part(part: EmailMessage) -> Draft:
    payload = part.get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else str(payload or "").encode("utf-8", "surrogateescape")
    charset = part.get_content_charset()
    try:
        text = raw.decode(charset) if charset and charset.lower() not in ("us-ascii", "ascii") else decode(raw)
    except (LookupError, UnicodeDecodeError):
        text = decode(raw)
    if part.get_content_type() == "text/html":
        draft = read_html(text)
        return replace(draft, blocks=tuple(mail_blocks(draft.blocks)))
    return Draft(tuple(mail_text(text)))


def _mail(headers: dict[str, str], bodies: list[Draft], attached: list[str], dated: datetime | None) -> Draft:
    blocks: list[Block] = []
    subject = headers.get("Subject", "")
    blocks += block("title", subject, level=1)
    shown = "\n".join(f"{name}: {value}" for name, value in headers.items() if name != "Subject")
    blocks += block("note", shown)
    written = False
    for body in bodies:
        blocks += body.blocks
        written = True
    names = ", ".join(one_line(name) for name in attached)
    notes = (f"has attachments: {names}",) if attached else ()
    if attached and written:
        blocks += block("note", f"Attachments: {names}")
    return Draft(tuple(blocks) if written or headers else (), subject, dated=dated, notes=notes)


def read_msg(file: BinaryIO) -> Draft:
    """Blocks of an Outlook .msg file."""
    from oxmsg import Message

    message = Message.load(file)
    headers = msg_headers(message)
    html, plain = _text_of(message.html_body), _text_of(message.body)
    page = read_html(html) if html else Draft(())
    body = mail_blocks(page.blocks) if page.blocks else mail_text(plain)
    bodies = [replace(page, blocks=tuple(body))]
    names = [attachment.file_name or "unnamed" for attachment in message.attachments]
    return _mail(headers, [body for body in bodies if body.blocks], names, message.sent_date)


def _text_of(body: str | bytes | None) -> str:
    return decode(body, declared=True) if isinstance(body, bytes) else body or ""
