"""Mails inside Outlook mails, made from the storages that such a file is of: [MS-OXMSG] 2.2 to 2.4."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import oxmsg
import pytest
from oxmsg.storage import Storage, Stream

from ingest.read.mail.mail import read_eml
from ingest.unpack.containers import open_container
from ingest.unpack.opened import ContainerLimits, Opened
from ragapp.errors import Unreadable

SUBJECT, BODY = 0x0037, 0x1000
ATTACHED_NAME, ATTACHED_BYTES = 0x3707, 0x3701
TEXT, BYTES = 0x001F, 0x0102
OUTER_HEADER, INNER_HEADER, ATTACHMENT_HEADER = 32, 24, 8


def storage(path: str, header: int, values: dict[int, str | bytes], storages: Sequence[Storage] = ()) -> Storage:
    properties, streams = b"\0" * header, []
    for number, value in values.items():
        kind = BYTES if isinstance(value, bytes) else TEXT
        written = value if isinstance(value, bytes) else value.encode("utf-16-le")
        properties += struct.pack("<HHIII", kind, number, 6, len(written), 0)
        streams.append(Stream(f"{path}/__substg1.0_{number:04X}{kind:04X}", written))
    streams.append(Stream(f"{path}/__properties_version1.0", properties))
    return Storage(path, tuple(streams), tuple(storages))


def mail(path: str, subject: str, attached: Sequence[Storage], header: int = INNER_HEADER) -> Storage:
    values: dict[int, str | bytes] = {SUBJECT: subject, BODY: f"The body of {subject}, by Zoë Ångström.\n"}
    return storage(path, header, values, attached)


def attached_file(name: str, content: bytes) -> Storage:
    return storage("__attach_version1.0_#00000000", ATTACHMENT_HEADER, {ATTACHED_NAME: name, ATTACHED_BYTES: content})


def attached_mail(subject: str, attached: Sequence[Storage] = ()) -> Storage:
    inner = mail("__attach_version1.0_#00000001/__substg1.0_3701000D", subject, attached)
    return storage("__attach_version1.0_#00000001", ATTACHMENT_HEADER, {}, [inner])


def opened(outer: Storage, into: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    monkeypatch.setattr(oxmsg.Message, "load", classmethod(lambda cls, _: cls(outer)))
    (into / "mail.msg").write_bytes(b"stands for the storages")
    return open_container(into / "mail.msg", "msg", into / "out", ContainerLimits(), 0)


def test_mails_in_mails_come_out_with_all_that_is_attached_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deepest = attached_mail("Innermost", [attached_file("offer.txt", b"120 EUR")])
    outer = mail("", "Outer", [attached_mail("Middle", [attached_file("note.txt", b"42"), deepest])], OUTER_HEADER)
    (middle,) = opened(outer, tmp_path, monkeypatch).members
    assert middle.name == "Middle.eml"
    text = "\n".join(block.text for block in read_eml(middle.path.read_bytes(), 1 << 20).blocks)
    assert "The body of Middle" in text and "Zoë Ångström" in text
    assert "note.txt" in text and "Innermost.eml" in text
    inside = open_container(middle.path, "eml", tmp_path / "middle", ContainerLimits(), 1)
    assert [member.name for member in inside.members] == ["note.txt", "Innermost.eml"]
    deepest_mail = inside.members[1].path
    assert "The body of Innermost" in deepest_mail.read_text(encoding="utf-8")
    (offer,) = open_container(deepest_mail, "eml", tmp_path / "deepest", ContainerLimits(), 2).members
    assert (offer.name, offer.path.read_bytes()) == ("offer.txt", b"120 EUR")


def test_mails_nested_without_end_are_one_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nest = attached_mail("Last")
    for _ in range(2000):
        nest = attached_mail("Again", [nest])
    with pytest.raises(Unreadable, match="nested too deeply"):
        opened(mail("", "Outer", [nest], OUTER_HEADER), tmp_path, monkeypatch)
