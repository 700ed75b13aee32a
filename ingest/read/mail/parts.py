"""The MIME parts of a mail: which are attached, and what each is called."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from email.header import decode_header, make_header
from email.message import Message

_LONGEST_HEADER = 10_000
"""Characters of a header that are read for a name."""
SEALED = ("application/pkcs7-mime", "application/x-pkcs7-mime", "multipart/encrypted")


def attached(message: Message) -> Iterator[Message]:
    """Attachments in order: neither the bodies nor what is inside an attached mail."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        kind = part.get_content_type()
        if kind in SEALED:
            yield part
        elif part.get_content_maintype() == "multipart" and part.is_multipart():
            waiting.extend(reversed(children(part)))
        elif kind == "message/delivery-status":
            continue
        elif not _is_body(part):
            yield part


def attached_names(message: Message) -> Iterator[str]:
    """What a reader of the mail sees listed as attached: mails that are handed on by their subject."""
    for number, part in enumerate(attached(message), 1):
        inner = children(part) if part.get_content_type() == "message/rfc822" else []
        if inner or part.get_filename():
            yield name_of(part, number, inner[0] if inner else None)


def children(part: Message) -> list[Message]:
    """The parts of a part; the one mail of a mail that is handed on."""
    inner = part.get_payload()
    return [each for each in inner if isinstance(each, Message)] if isinstance(inner, list) else []


def _is_body(part: Message) -> bool:
    named = bool(part.get_filename()) or part.get_content_disposition() == "attachment"
    return part.get_content_type() in ("text/plain", "text/html") and not named


def name_of(part: Message, number: int, mail: Message | None = None) -> str:
    """What an attachment is called; its folders, which some programs write, are not part of that."""
    if said := _decoded(part.get_filename() or ""):
        name = said.replace("\\", "/").rstrip("/").rpartition("/")[2]
        if name not in ("", ".", ".."):
            return name if mail is None or name.lower().endswith(".eml") else f"{name}.eml"
    if mail is not None:
        return f"{as_name(_decoded(str(mail.get('Subject', '')))) or f'mail {number}'}.eml"
    return f"part {number}{mimetypes.guess_extension(part.get_content_type()) or ''}"


def _decoded(value: str) -> str:
    """A header's value with its encoded words read."""
    try:
        return str(make_header(decode_header(value[:_LONGEST_HEADER])))
    except (LookupError, ValueError, UnicodeError):
        return value


def as_name(subject: str) -> str:
    """A subject as the name of a file."""
    return " ".join(subject.replace("/", "-").replace("\\", "-").split())[:120].strip(" .")
