"""What is inside archives, mails and Office files comes out as files of its own, within limits, and never elsewhere."""

import gzip
import io
import os
import struct
import tarfile
import zipfile
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.read.formats import NotRead, kind_of
from ingest.read.parse import parse
from ingest.unpack.containers import holds_files, holds_only_files, open_container
from ingest.unpack.opened import ContainerLimits, Opened
from ragapp.errors import Unreadable

LIMITS = ContainerLimits()
Entries = dict[str, bytes]


def zipped(entries: Entries, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return whole.getvalue()


def tarred(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for entry, content in members:
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return whole.getvalue()


def opened(
    folder: Path, name: str, content: bytes, *, limits: ContainerLimits = LIMITS, depth: int = 0, into: str = "out"
) -> Opened:
    path = folder / name
    path.write_bytes(content)
    return open_container(path, kind_of(path), folder / into, limits, depth)


def contents(found: Opened) -> dict[str, bytes]:
    return {member.name: member.path.read_bytes() for member in found.members}


def reasons(failures: tuple[object, ...]) -> dict[str, str]:
    return {failure.source: failure.reason for failure in failures}  # type: ignore[attr-defined]


def mail(subject: str = "Offer") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@x.example", "b@x.example", subject
    message.set_content("See what is attached.")
    return message


def attach(message: EmailMessage, name: str, content: bytes) -> None:
    message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)


def test_a_zip_holds_files_and_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({"a.txt": b"one", "b/c.md": b"# two"}))
    assert kind_of(path) == "zip" and holds_files("zip") and holds_only_files("zip")
    assert holds_files("docx") and not holds_only_files("docx") and not holds_files("pdf")
    assert contents(open_container(path, "zip", tmp_path / "out", LIMITS, 0)) == {"a.txt": b"one", "b/c.md": b"# two"}
    with pytest.raises(Unreadable, match="no text of its own"):
        parse(path, max_text_bytes=1 << 20)


def test_a_folder_called_word_makes_no_word_document(tmp_path: Path) -> None:
    assert list(contents(opened(tmp_path, "a.zip", zipped({"word/letter.txt": b"Dear"})))) == ["word/letter.txt"]


def test_other_formats_that_are_packed_as_zip_are_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "tool.jar"
    path.write_bytes(zipped({"a.txt": b"one"}))
    with pytest.raises(NotRead, match=r"the format \.jar"):
        kind_of(path)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/etc/cron.d/x.txt", "path of the whole machine"),
        ("C:\\Windows\\x.txt", "path of the whole machine"),
        ("\\\\server\\share\\x.txt", "path of the whole machine"),
        ("../../x.txt", "leads out of its archive"),
        ("a/..\\../x.txt", "leads out of its archive"),
        ("a" * 2000 + ".txt", "more than 1000 characters"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(name: str, reason: str, tmp_path: Path) -> None:
    found = opened(tmp_path, "a.zip", zipped({name: b"evil", "good.txt": b"good"}))
    assert contents(found) == {"good.txt": b"good"}
    assert reason in found.refused[0].reason and len(found.refused) == 1


def test_names_are_made_printable(tmp_path: Path) -> None:
    names = ["a\tb\n.txt", "\u202egpj.txt", "Prüfung 🦊.txt", "x!/y.txt", "./d//e.txt", "g\\h.txt"]
    found = opened(tmp_path, "a.zip", zipped(dict.fromkeys(names, b"text")))
    assert [member.name for member in found.members] == [
        "a\\tb\\n.txt", "\\u202egpj.txt", "Prüfung 🦊.txt", "x\\x21/y.txt", "d/e.txt", "g/h.txt",
    ]  # fmt: skip


def test_files_of_one_name_are_numbered(tmp_path: Path) -> None:
    message = mail()
    for content in (b"first", b"second", b"third"):
        attach(message, "offer.txt", content)
    assert contents(opened(tmp_path, "a.eml", message.as_bytes())) == {
        "offer.txt": b"first",
        "offer (2).txt": b"second",
        "offer (3).txt": b"third",
    }


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(
        st.one_of(
            st.text(max_size=40),
            st.lists(st.sampled_from(["..", ".", "/", "\\", "a", "C:", "\x00", "\n", "~$x", ".txt"]), max_size=8).map(
                "".join
            ),
        ),
        max_size=8,
        unique=True,
    )
)
def test_no_name_leads_out_of_the_folder(names: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("names")
    before = set(folder.parent.iterdir())
    members = []
    for name in names:
        entry = tarfile.TarInfo("placeholder")
        entry.name = name
        members.append((entry, b"text"))
    path = folder / "a.tar"
    path.write_bytes(tarred(members) if members else tarred([(tarfile.TarInfo("a.txt"), b"text")]))
    found = open_container(path, "tar", folder / "out", LIMITS, 0)
    assert set(folder.parent.iterdir()) == before and set(folder.iterdir()) == {path, folder / "out"}
    assert {member.path for member in found.members} == set((folder / "out").iterdir())
    for member in found.members:
        parts = member.name.split("/")
        assert member.name and ".." not in parts and "" not in parts and "!/" not in member.name
        assert all(c.isprintable() or c in "\u200c\u200d" for c in member.name)
    assert len({member.name for member in found.members}) == len(found.members)
    assert len(found.members) + len(found.refused) + len(found.skipped) <= max(1, len(names))


def test_links_devices_and_pipes_in_a_tar_are_refused(tmp_path: Path) -> None:
    members = [(tarfile.TarInfo("good.txt"), b"good")]
    for name, sort in (("l", tarfile.SYMTYPE), ("h", tarfile.LNKTYPE), ("d", tarfile.CHRTYPE), ("f", tarfile.FIFOTYPE)):
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = sort, "/etc/passwd"
        members.append((entry, b""))
    found = opened(tmp_path, "a.tar", tarred(members))
    assert contents(found) == {"good.txt": b"good"}
    assert [f.source for f in found.refused] == ["l", "h", "d", "f"]
    assert "link" in found.refused[0].reason and "device" in found.refused[2].reason


def test_links_in_a_zip_are_refused(tmp_path: Path) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        entry = zipfile.ZipInfo("link.txt")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    found = opened(tmp_path, "a.zip", whole.getvalue())
    assert not found.members and "link" in found.refused[0].reason


def test_packed_tars_and_single_files(tmp_path: Path) -> None:
    packed = gzip.compress(tarred([(tarfile.TarInfo("d/a.txt"), b"one"), (tarfile.TarInfo("b.txt"), b"two")]))
    assert contents(opened(tmp_path, "a.tgz", packed)) == {"d/a.txt": b"one", "b.txt": b"two"}
    assert contents(opened(tmp_path, "app.log.gz", gzip.compress(b"line"), into="two")) == {"app.log": b"line"}


def test_a_mail_gives_attachments_and_the_mails_that_it_hands_on(tmp_path: Path) -> None:
    inner = mail("Older: the offer")
    attach(inner, "deep.txt", b"deep")
    message = mail("Fwd")
    attach(message, "Angebot für Müller.txt", b"offer")
    attach(message, "..\\..\\evil.txt", b"plain")
    message.add_attachment(b"\x89PNG\r\n\x1a\n" + bytes(60), maintype="image", subtype="png", filename="logo.png")
    message.add_attachment(inner)
    found = opened(tmp_path, "a.eml", message.as_bytes())
    assert [m.name for m in found.members] == ["Angebot für Müller.txt", "evil.txt", "Older: the offer.eml"]
    assert reasons(found.skipped) == {"logo.png": "is a PNG picture, which is not read"} and not found.refused
    nested = open_container(found.members[2].path, "eml", tmp_path / "nested", LIMITS, 1)
    assert contents(nested) == {"deep.txt": b"deep"}


def test_the_text_of_a_mail_names_its_attachments(tmp_path: Path) -> None:
    message = mail()
    attach(message, "offer.txt", b"offer")
    path = tmp_path / "a.eml"
    path.write_bytes(message.as_bytes())
    assert "Attachments: offer.txt" in parse(path, max_text_bytes=1 << 20).text


def test_the_attachment_of_an_outlook_mail(real_documents: Path, tmp_path: Path) -> None:
    found = open_container(real_documents / "fake-email-attachment.msg", "msg", tmp_path / "out", LIMITS, 0)
    assert [m.name for m in found.members] == ["fake-attachment.txt"]
    assert found.members[0].path.read_bytes()


def native(label: str, data: bytes) -> bytes:
    said = label.encode() + b"\x00" + b"C:\\tmp\\x\x00" + b"\x00\x00\x03\x00"
    return b"\x00" * 4 + b"\x02\x00" + said + struct.pack("<L", 2) + b"x\x00" + struct.pack("<L", len(data)) + data


def test_the_package_of_an_ole_object() -> None:
    from ingest.unpack.embedded import _packaged

    assert _packaged(native("offer.pdf", b"%PDF-1.7 x")) == ("offer.pdf", b"%PDF-1.7 x")
    with pytest.raises(ValueError, match="cut off"):
        _packaged(native("offer.pdf", b"%PDF-1.7 x")[:-3])


def test_files_embedded_in_a_word_document(tmp_path: Path) -> None:
    content = {
        "[Content_Types].xml": b"<Types/>",
        "word/document.xml": b"<document/>",
        "word/embeddings/Offer.xlsx": zipped({"[Content_Types].xml": b"<x/>", "xl/workbook.xml": b"<x/>"}),
        "word/embeddings/chart.xlsx": b"PK",
        "word/charts/_rels/chart1.xml.rels": b'<R><Relationship Target="../embeddings/chart.xlsx"/></R>',
        "word/embeddings/oleObject1.bin": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
        "word/media/image1.png": b"\x89PNG",
    }
    found = opened(tmp_path, "a.docx", zipped(content))
    assert [m.name for m in found.members] == ["Offer.xlsx"]
    assert list(reasons(found.skipped)) == ["chart.xlsx"] and list(reasons(found.refused)) == ["oleObject1.bin"]


def test_too_many_members(tmp_path: Path) -> None:
    found = opened(tmp_path, "a.zip", zipped({f"{n}.txt": b"x" for n in range(9)}), limits=ContainerLimits(members=5))
    assert [m.name for m in found.members] == [f"{n}.txt" for n in range(5)]
    assert reasons(found.refused) == {"5.txt": "not opened, and nothing behind it: 5 files are the most"}


def test_too_much_in_all(tmp_path: Path) -> None:
    limits = ContainerLimits(unpacked=2500)
    found = opened(tmp_path, "a.zip", zipped({f"{n}.txt": b"x" * 1000 for n in range(9)}), limits=limits)
    assert [m.name for m in found.members] == ["0.txt", "1.txt"] and found.unpacked == 2000
    assert len(found.refused) == 1 and sum(f.stat().st_size for f in (tmp_path / "out").iterdir()) == 2000


def test_a_bomb_leaves_nothing(tmp_path: Path) -> None:
    limits = ContainerLimits(harmless=1 << 20)
    for name, content in (
        ("flat.zip", zipped({"good.txt": b"good", "zeros.txt": bytes(8 << 20)})),
        ("packed.gz", gzip.compress(bytes(8 << 20))),
    ):
        with pytest.raises(Unreadable, match="zip bomb"):
            opened(tmp_path, name, content, limits=limits)
    assert not list((tmp_path / "out").iterdir())


def test_declared_sizes_are_not_believed(tmp_path: Path) -> None:
    content = bytearray(zipped({"a.txt": bytes(4 << 20), "good.txt": b"good"}))
    true, said = struct.pack("<L", 4 << 20), struct.pack("<L", 10)
    found = opened(tmp_path, "a.zip", bytes(content).replace(true, said))
    assert contents(found) == {"good.txt": b"good"}
    assert reasons(found.refused) == {"a.txt": "is damaged or cut off inside its archive"}


def test_encrypted_archives_and_members(tmp_path: Path) -> None:
    content = bytearray(zipped({"a.txt": b"secret", "b.txt": b"open"}, zipfile.ZIP_STORED))
    first = content.index(b"PK\x01\x02")
    content[6] |= 1
    content[first + 8] |= 1
    found = opened(tmp_path, "a.zip", bytes(content))
    assert contents(found) == {"b.txt": b"open"} and "password" in found.refused[0].reason
    second = content.index(b"PK\x01\x02", first + 4)
    content[second + 8] |= 1
    with pytest.raises(Unreadable, match="password"):
        opened(tmp_path, "b.zip", bytes(content), into="two")


def test_what_lies_too_deep_is_refused(tmp_path: Path) -> None:
    message = mail()
    attach(message, "a.txt", b"x")
    found = opened(tmp_path, "a.eml", message.as_bytes(), depth=LIMITS.depth)
    assert not found.members and "too deep" in reasons(found.refused)["a.txt"]
    with pytest.raises(Unreadable, match="too deep"):
        opened(tmp_path, "a.zip", zipped({"a.txt": b"x"}), depth=LIMITS.depth)


def test_what_one_container_took_is_gone_for_those_inside(tmp_path: Path) -> None:
    left = LIMITS.less(opened(tmp_path, "a.zip", zipped({"a.txt": b"x" * 100, "b.png": b"\x89PNG" + bytes(9)})))
    assert (left.members, left.unpacked) == (LIMITS.members - 2, LIMITS.unpacked - 100)


@pytest.mark.parametrize("share", [0.3, 0.7, 0.98])
def test_cut_off_tars_keep_what_came_before(share: float, tmp_path: Path) -> None:
    whole = gzip.compress(tarred([(tarfile.TarInfo(f"{n}.txt"), os.urandom(2000).hex().encode()) for n in range(9)]))
    found = opened(tmp_path, "a.tgz", whole[: int(len(whole) * share)])
    assert found.members and "cut off" in found.refused[-1].reason
