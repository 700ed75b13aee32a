"""The headers of a mail: its bytes made ready for them, and what a reader looks at of them."""

from __future__ import annotations

from datetime import datetime
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from typing import Any

from ingest.read.blocks import one_line
from ingest.read.encoding import decode

_RECIPIENT_TYPE, _TO, _CC = 0x0C15, 1, 2
"""Outlook's property that says how a mail went to somebody (MS-OXOMSG, PidTagRecipientType)."""
_LONGEST_HEADER = 100_000
"""Characters; the standard library takes quadratic time and memory for the words of a longer one, which stays as it is
written."""


def as_ascii_headers(raw: bytes) -> bytes:
    """Mails saved as UTF-16 text, back to the bytes that a mail is."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in raw[:64]:
        return decode(raw).encode("utf-8")
    return raw.lstrip(b"\xef\xbb\xbf\r\n")


def header(message: EmailMessage, name: str) -> str:
    """A header with its encoded words read, as it is written where that can't be; empty where there is none."""
    written = next((str(value) for key, value in message.raw_items() if key.lower() == name.lower()), "")
    if len(written) > _LONGEST_HEADER:
        return written[:_LONGEST_HEADER]
    try:
        return str(message[name] or "")
    except (ValueError, IndexError, AttributeError, TypeError):  # the standard library's own faults on odd headers
        return written


def date_of(value: str) -> datetime | None:
    """What a Date header says, where it says it in a way that is known."""
    try:
        return parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        pass
    try:
        return datetime.fromisoformat(value.strip())
    except ValueError:
        return None


def msg_headers(message: Any) -> dict[str, str]:
    """The headers of an Outlook mail under the names that an e-mail has for them; those that it has."""
    recipients: dict[int, list[str]] = {}
    for person in message.recipients:
        shown = f"{person.name} <{person.email_address}>" if person.name else person.email_address
        recipients.setdefault(person.properties.int_prop_value(_RECIPIENT_TYPE) or _TO, []).append(shown)
    to, cc = (", ".join(recipients.get(kind, ())) for kind in (_TO, _CC))
    sent = message.sent_date.isoformat(" ", "minutes") if message.sent_date else ""
    headers = {"From": message.sender or "", "To": to, "Cc": cc, "Date": sent, "Subject": message.subject or ""}
    return {name: one_line(value) for name, value in headers.items() if value}
