"""Every file is either text or one true reason: nothing else is raised, and nothing swells."""

import json
import os
import random
import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.read.formats import supported
from ingest.read.parse import parse
from ingest.read.readers import READERS
from ragapp.errors import Unreadable
from ragapp.types import Extracted

Read = Callable[..., Extracted]
LIMIT = 1 << 20
OFFICE = ("docx", "pptx", "xlsx", "odt", "epub")


def outcome(path: Path) -> Extracted | str:
    try:
        return parse(path, max_text_bytes=64 << 20)
    except Unreadable as reason:
        return str(reason)


@pytest.mark.parametrize("extension", supported())
def test_empty_and_blank_files(extension: str, read: Read) -> None:
    with pytest.raises(Unreadable, match=r"^is empty$"):
        read(f"a.{extension}", b"")
    with pytest.raises(Unreadable, match="white space"):
        read(f"b.{extension}", b" \n\t\r\n")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(min_size=1, max_size=3000), extension=st.sampled_from(sorted(set(supported()) - {"rst"})))
def test_any_bytes_under_any_name_are_text_or_a_reason(
    content: bytes, extension: str, tmp_path: Path, is_sound: Callable[[Extracted], None]
) -> None:
    path = tmp_path / f"a.{extension}"
    path.write_bytes(content)
    found = outcome(path)
    if isinstance(found, Extracted):
        is_sound(found)
    else:
        assert found and "\n" not in found


@pytest.mark.parametrize("share", [0.2, 0.6, 0.97])
@pytest.mark.parametrize(
    "name",
    [
        "fake.docx",
        "sample-presentation.pptx",
        "vodafone.xlsx",
        "simple.odt",
        "fake-email-attachment.msg",
        "pdf/multi-column-2p.pdf",
    ],
)
def test_files_cut_off(name: str, share: float, real_documents: Path, tmp_path: Path) -> None:
    whole = (real_documents / name).read_bytes()
    path = tmp_path / Path(name).name
    path.write_bytes(whole[: int(len(whole) * share)])
    found = outcome(path)
    assert isinstance(found, str) and ("damaged or cut off" in found or "old Office" in found)


@pytest.mark.parametrize(
    "name",
    [
        "fake.docx",
        "sample-presentation.pptx",
        "vodafone.xlsx",
        "simple.odt",
        "fake-email-attachment.msg",
        "pdf/emphasis-text.pdf",
    ],
)
def test_files_with_flipped_bytes_never_end_in_a_traceback(name: str, real_documents: Path, tmp_path: Path) -> None:
    whole = (real_documents / name).read_bytes()
    dice = random.Random(7)
    path = tmp_path / Path(name).name
    for _ in range(10):
        broken = bytearray(whole)
        for _ in range(20):
            broken[dice.randrange(len(broken))] = dice.randrange(256)
        path.write_bytes(broken)
        assert isinstance(outcome(path), Extracted | str)


def test_a_mislabelled_file_is_read_as_what_it_is(real_documents: Path, read: Read) -> None:
    contract = read("report.pdf", (real_documents / "fake.docx").read_bytes())
    assert contract.text == "Lorem ipsum dolor sit amet."
    assert contract.notes == ("is DOCX although its name ends in .pdf",)
    assert read("notes.pdf", "Only plain text in here.").notes == ("is TXT although its name ends in .pdf",)
    assert read("mail.txt", b"From: a@x.example\nTo: b@x.example\nSubject: Hi\n\nText.").title == "Hi"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.xyz", b"hello", "has the format .xyz, which is not read"),
        ("README", b"hello", "has no extension that tells its format"),
        ("a.pdf", b"\x00\x01\x02\x03" * 50, "is not PDF, although it is named so"),
        ("a.docx", b"\x89PNG\r\n\x1a\n" + b"\x00" * 50, "is a PNG picture, which is not read"),
        ("a.json", b'{"a": ', "can't be read as json"),
        ("a.txt", b"ab\x00\x00\x01" * 99, "not text in any known encoding"),
    ],
)
def test_reasons_say_what_is_wrong(name: str, content: bytes, reason: str, read: Read) -> None:
    with pytest.raises(Unreadable) as raised:
        read(name, content)
    assert reason in str(raised.value)


def test_a_package_that_is_missing_is_not_put_on_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "table.csv"
    path.write_text("pump,price\nAquila,120\n")
    monkeypatch.setitem(READERS, "csv", lambda file, limit: __import__("a_package_nobody_has"))
    said = outcome(path)
    assert isinstance(said, str)
    assert said.startswith("can't be read as csv here: No module named 'a_package_nobody_has'; run `make setup`")


def test_a_workbook_with_a_password_is_named(real_documents: Path) -> None:
    assert outcome(real_documents / "password_protected.xlsx") == "is encrypted with a password; save it without one"


@pytest.mark.parametrize("extension", ["txt", "md", "csv", "html", "xml", "json", "eml", "rst", "rtf"])
def test_too_much_text_is_refused(extension: str, read: Read) -> None:
    body = {
        "json": json.dumps(["many words"] * 200_000),
        "eml": "From: a@x\nTo: b@x\nSubject: s\n\n" + "many words\n" * 200_000,
        "rtf": "{\\rtf1 " + "many words\n" * 500_000 + "}",
        "xml": "<a>" + "<b>many words</b>" * 400_000 + "</a>",
    }.get(extension, "many words, many more\n" * 100_000)
    with pytest.raises(Unreadable, match=r"holds .*MiB of text"):
        read(f"a.{extension}", body, limit=LIMIT)


def test_two_hundred_megabytes_are_refused_without_being_held(tmp_path: Path) -> None:
    path = tmp_path / "big.txt"
    with path.open("wb") as file:
        file.truncate(0)
        for _ in range(200):
            file.write(b"lorem ipsum dolor\n" * 58_255)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = outcome(path)
    assert isinstance(found, str) and found.startswith("holds 200 MiB of text")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


@pytest.mark.parametrize("member", ["word/document.xml", "word/media/picture.bin"])
def test_archives_that_unpack_to_too_much_are_not_opened(member: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb.docx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
        with archive.open(member, "w", force_zip64=True) as entry:
            for _ in range(1100 if member.endswith("bin") else 40):
                entry.write(bytes(1 << 20))
    with pytest.raises(Unreadable, match="unpacks to"):
        parse(path, max_text_bytes=1 << 20)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", "[" * 100_000 + "]" * 100_000),
        ("a.html", "<div>" * 50_000 + "deep"),
        ("a.xml", "<d>" * 50_000 + "deep"),
        ("a.md", ">" * 50_000 + "deep"),
        ("b.md", "[" * 20_000 + "deep"),
        ("c.md", "*a_ " * 20_000),
    ],
)
def test_deep_nesting_ends(name: str, content: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(content)
    assert isinstance(outcome(path), Extracted | str)


@pytest.mark.parametrize(
    ("name", "title"),
    [("a\nb\tc.txt", "a b c"), ("😀_plan.txt", "😀 plan"), (os.fsdecode(b"bad\xff name.txt"), "bad\ufffd name")],
)
def test_odd_names_become_readable_titles(name: str, title: str, read: Read) -> None:
    found = read(name, "Hello there.")
    assert found.title == title
    found.title.encode("utf-8")


def test_nothing_is_printed_and_no_address_is_asked_for(real_documents: Path) -> None:
    script = (
        "import socket, sys\n"
        "def refuse(*a, **k): raise AssertionError('asked for the network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from pathlib import Path\nfrom ingest.read.parse import parse\n"
        "for p in sys.argv[1:]: parse(Path(p), max_text_bytes=1 << 26)\n"
    )
    names = [
        "fake.docx",
        "sample-presentation.pptx",
        "vodafone.xlsx",
        "simple.odt",
        "pdf/emphasis-text.pdf",
        "fake-email.eml",
    ]
    done = subprocess.run(
        [sys.executable, "-c", script, *(str(real_documents / name) for name in names)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
