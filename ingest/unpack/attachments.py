"""Mails: what is attached to them, handed-on mails included. The mail's own text is read by ingest.read.mail."""

from __future__ import annotations

from email import policy
from email.message import EmailMessage, Message
from email.parser import BytesParser
from pathlib import Path
from typing import Any

from ingest.read.mail.headers import as_ascii_headers, msg_headers
from ingest.read.mail.parts import SEALED, as_name, attached, children, name_of
from ingest.unpack.unpacker import Unpacker
from ragapp.errors import Unreadable

_LARGEST_MAIL = 512 << 20
"""Bytes; a mail is read whole."""
_RAW = policy.compat32
"""The policy that keeps headers as they were written, so that odd ones can't stop a mail from being handed on."""


def open_eml(path: Path, unpacker: Unpacker) -> None:
    """Every part of a mail that is no body. Raises Unreadable for a mail that is too large."""
    if unpacker.packed > _LARGEST_MAIL:
        raise Unreadable(f"is a mail of {unpacker.packed / 2**20:.0f} MiB, too large to be opened")
    message = BytesParser(policy=_RAW).parsebytes(as_ascii_headers(path.read_bytes()))
    for number, part in enumerate(attached(message), 1):
        _take_part(part, number, unpacker)


def _take_part(part: Message, number: int, unpacker: Unpacker) -> None:
    kind = part.get_content_type()
    if kind in SEALED:
        name = name_of(part, number)
        unpacker.count(name)
        unpacker.refuse(name, "is encrypted or sealed by S/MIME or PGP; save it without")
    elif kind == "message/external-body":
        name = name_of(part, number)
        unpacker.count(name)
        unpacker.skip(name, "lies elsewhere, and nothing that a mail points to is fetched")
    elif kind == "message/rfc822" and (inner := children(part)):
        unpacker.take(name_of(part, number, inner[0]), [_whole(inner[0])])
    else:
        content = part.get_payload(decode=True)
        unpacker.take(name_of(part, number), [content if isinstance(content, bytes) else b""])


def _whole(message: Message) -> bytes:
    return message.as_bytes(policy=_RAW.clone(max_line_length=0))


def open_msg(path: Path, unpacker: Unpacker) -> None:
    """Every attachment of an Outlook mail; an attached Outlook mail comes out as .eml, which says the same."""
    from oxmsg import Message as Outlook

    with path.open("rb") as file:
        message = Outlook.load(file)
    for number, attachment in enumerate(message.attachments, 1):
        name = as_name(attachment.file_name or "") or f"part {number}"
        content = attachment.file_bytes
        if content is not None:
            unpacker.take(name, [content])
        elif (inner := _inner_mail(attachment)) is not None:
            mail = _as_eml(inner)
            unpacker.take(f"{as_name(str(mail['Subject'] or '')) or name}.eml", [mail.as_bytes()])
        else:
            unpacker.count(name)
            unpacker.skip(name, "is linked or drawn into the mail, not attached as a file")


_HEADER_OF_INNER = 24
"""Bytes before the properties of a mail inside a mail: [MS-OXMSG] 2.4.1.2."""


def _inner_mail(attachment: Any) -> Any:
    """The storage of an attached mail; None for a link, and for what a program drew into the mail."""
    inner = next((each for each in attachment._storage.storages if each.name.startswith("__substg1.0_3701")), None)
    is_mail = inner is not None and any(each.name == "__properties_version1.0" for each in inner.streams)
    return inner if is_mail else None


def _as_eml(storage: Any) -> EmailMessage:
    """A mail inside an Outlook mail with its own attachments, mails among them."""
    from oxmsg import Message as Outlook
    from oxmsg.properties import Properties

    class Inner(Outlook):  # type: ignore[misc]
        @property
        def properties(self) -> Any:
            return Properties(self._storage, properties_header_offset=_HEADER_OF_INNER)

    inner = Inner(storage)
    mail = EmailMessage(policy=policy.SMTP)
    for name, value in msg_headers(inner).items():
        if name != "Date":
            mail[name] = " ".join(value.split())
    if inner.sent_date:
        mail["Date"] = inner.sent_date
    mail.set_content(inner.body or "")
    html = inner.html_body
    if html:
        mail.add_alternative(html, subtype="html")
    for number, attachment in enumerate(inner.attachments, 1):
        name = as_name(attachment.file_name or "") or f"part {number}"
        if attachment.file_bytes is not None:
            mail.add_attachment(attachment.file_bytes, maintype="application", subtype="octet-stream", filename=name)
        elif (deeper := _inner_mail(attachment)) is not None:
            mail.add_attachment(_as_eml(deeper))
    return mail
