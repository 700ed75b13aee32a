"""Which formats are read, and how a file's first bytes and its name tell which one it is."""

from __future__ import annotations

import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import BinaryIO

from ingest.read.zipfiles import open_zip
from ragapp.errors import Unreadable

_CODE = (
    "py pyi js mjs cjs jsx ts tsx java kt kts scala groovy gradle c cc cpp cxx h hh hpp cs vb fs go rs rb php pl pm "
    "lua r swift dart sh bash zsh ps1 psm1 bat cmd sql css scss sass less vue svelte tf proto graphql tex bib cmake "
    "abap cob"
)
_KEYED = "yaml yml"
_SECTIONS = "toml ini cfg conf properties env editorconfig"
_EXTENSIONS = {
    **dict.fromkeys(_CODE.split(), "code"),
    **dict.fromkeys(_KEYED.split(), "yaml"),
    **dict.fromkeys(_SECTIONS.split(), "ini"),
    "txt": "txt",
    "text": "txt",
    "log": "txt",
    "md": "md",
    "markdown": "md",
    "rst": "rst",
    "html": "html",
    "htm": "html",
    "xhtml": "html",
    "xml": "xml",
    "docx": "docx",
    "docm": "docx",
    "dotx": "docx",
    "dotm": "docx",
    "pptx": "pptx",
    "pptm": "pptx",
    "ppsx": "pptx",
    "ppsm": "pptx",
    "potx": "pptx",
    "xlsx": "xlsx",
    "xlsm": "xlsx",
    "xltx": "xlsx",
    "csv": "csv",
    "tsv": "tsv",
    "tab": "tsv",
    "eml": "eml",
    "msg": "msg",
    "json": "json",
    "jsonl": "json",
    "ndjson": "json",
    "ipynb": "ipynb",
    "epub": "epub",
    "odt": "odt",
    "rtf": "rtf",
    "pdf": "pdf",
    "zip": "zip",
    "tar": "tar",
    "tgz": "gz",
    "gz": "gz",
}
TEXTUAL = frozenset(("txt", "md", "rst", "html", "xml", "csv", "tsv", "json", "code", "yaml", "ini", "ipynb"))
"""Formats that are text as it stands, whatever its encoding."""
ARCHIVES = frozenset(("zip", "tar", "gz"))
"""Formats that hold nothing but other files."""
_READ = frozenset(_EXTENSIONS.values()) - ARCHIVES
ENCRYPTED_OFFICE = "encrypted office document"
"""What an Office file with a password looks like from outside."""
_HEAD = 1 << 16
_ZIPPED = ("docx", "pptx", "xlsx", "epub", "odt", "zip")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BINARIES = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"\x1f\x8b", "gz"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90", "a program"),
    (b"SQLite format 3", "an SQLite database"),
)
_MAIL_HEAD = re.compile(rb"\A(?:[A-Za-z][A-Za-z0-9-]*:[^\n]*\n(?:[ \t][^\n]*\n)*){2,}")
_MAIL_NAMES = re.compile(rb"^(?:from|to|subject|date|message-id|mime-version|received):", re.IGNORECASE | re.MULTILINE)


class NotRead(Unreadable):
    """A whole file of a format that is not read, whatever it says."""


def supported() -> tuple[str, ...]:
    """The extensions that are read, lower case, without the dot."""
    return tuple(sorted(_EXTENSIONS))


def format_of_name(name: str) -> str | None:
    """The format that a file's name promises."""
    return _EXTENSIONS.get(PurePath(name).suffix.lower().removeprefix("."))


def sniff(head: bytes, file: BinaryIO) -> str | None:
    """The format that the bytes show beyond doubt: one of ours, ENCRYPTED_OFFICE, "a …" for something that isn't
    read; None for text and whatever can't be told. `head` is the file's first 4 KiB or more."""
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if head.startswith(b"PK\x03\x04") or head.startswith(b"PK\x05\x06"):
        return _zip_kind(file)
    if head.startswith(_OLE):
        return _ole_kind(file)
    if head.startswith(b"{\\rtf"):
        return "rtf"
    if head[257:262] == b"ustar":
        return "tar"
    return next((kind for mark, kind in _BINARIES if head.startswith(mark)), None)


def kind_of_text(head: bytes, promised: str | None) -> str | None:
    """The format that a text shows by its first bytes, where its name promises something else or nothing: a mail, or
    what a text file with the name of a binary format holds. None for what is no text."""
    if promised in (None, "txt") and looks_like_mail(head):
        return "eml"
    if promised is None or promised in TEXTUAL or b"\x00" in head or not _is_utf8(head):
        return None
    if promised == "eml" or looks_like_mail(head):
        return "eml"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:200].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "html"
    return "xml" if start.startswith(b"<?xml") else "txt"


def _is_utf8(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:
            return False
        text = head[: error.start].decode("utf-8")
    return sum(character.isprintable() or character.isspace() for character in text) > 0.95 * len(text)


def looks_like_mail(head: bytes) -> bool:
    """Whether a text begins with the headers of an e-mail."""
    found = _MAIL_HEAD.match(head)
    return found is not None and len(set(_MAIL_NAMES.findall(found.group().lower()))) >= 3


def _zip_kind(file: BinaryIO) -> str | None:
    try:
        with open_zip(file) as archive:
            names = archive.namelist()
            mimetype = b""
            if "mimetype" in names:
                with archive.open("mimetype") as member:
                    mimetype = member.read(100)
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, ValueError, NotImplementedError, EOFError):
        return None
    if b"epub" in mimetype:
        return "epub"
    if b"opendocument.text" in mimetype:
        return "odt"
    return _office_kind(names) or "zip"


def _office_kind(names: Iterable[str]) -> str | None:
    """Which Office program a package is of; a plain archive may well have a folder called "word"."""
    kinds = {"word": "docx", "ppt": "pptx", "xl": "xlsx"}
    folders = {name.partition("/")[0] for name in names if name.startswith(("word/", "ppt/", "xl/", "_rels/", "["))}
    if not folders & {"[Content_Types].xml", "_rels"}:
        return None
    return next((kinds[name.partition("/")[0]] for name in names if name.startswith(("word/", "ppt/", "xl/"))), None)


def _ole_kind(file: BinaryIO) -> str:
    """Old Office binaries, Outlook mails and encrypted documents share one container; its directory names them."""
    file.seek(0)
    content = file.read(64 << 20)
    marks = {
        ENCRYPTED_OFFICE: "EncryptedPackage",
        "msg": "__substg1.0_",
        "an old Word document (.doc), which is not read; save it as .docx": "WordDocument",
        "an old Excel workbook (.xls), which is not read; save it as .xlsx": "Workbook",
        "an old PowerPoint presentation (.ppt), which is not read; save it as .pptx": "PowerPoint Document",
    }
    found = (kind for kind, mark in marks.items() if mark.encode("utf-16-le") in content)
    return next(found, "a file of an old Office program")


def kind_of(path: Path, name: str | None = None) -> str:
    """The format that `parse` reads the file as, or one of ARCHIVES.

    Raises NotRead for a format that isn't read, Unreadable for what is damaged, empty or encrypted, OSError
    where the file can't be opened.
    """
    with opened(path) as file:
        return kind_and_notes(file, name or path.name)[0]


def opened(path: Path) -> BinaryIO:
    """The file, if it is one: opening a pipe would wait for its writer, and reading a device has no end."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise Unreadable("is not a regular file")
    return os.fdopen(handle, "rb")


def kind_and_notes(file: BinaryIO, name: str) -> tuple[str, tuple[str, ...]]:
    """The format to read it as, and a note where that is not what the name says."""
    head = file.read(_HEAD)
    blank = not head.strip(b"\x00 \t\r\n\x0b\x0c\xef\xbb\xbf")
    if blank and os.fstat(file.fileno()).st_size <= len(head):
        raise Unreadable("holds nothing but white space" if head else "is empty")
    promised = format_of_name(name)
    found = sniff(head, file)
    if found == ENCRYPTED_OFFICE:
        raise Unreadable("is encrypted with a password; save it without one")
    extension = PurePath(name).suffix.lower()
    if found in ARCHIVES:
        return _archive(found, promised, extension, head)
    if found is not None and found not in _READ:
        raise NotRead(f"is {found}" if "not read" in found else f"is {found}, which is not read")
    if found is None:
        found = kind_of_text(head, promised)
    if found is None and promised is None:
        raise NotRead(
            f"has the format {extension}, which is not read" if extension else "has no extension that tells its format"
        )
    if found is None and promised is not None and promised not in (*TEXTUAL, "eml"):
        raise Unreadable(_not_what_it_says(promised, head))
    kind = found or promised or ""
    if kind == promised or (kind == "eml" and promised == "txt"):
        return kind, ()
    return kind, (f"is {kind.upper()} although its name {f'ends in {extension}' if extension else 'says nothing'}",)


def _archive(found: str, promised: str | None, extension: str, head: bytes) -> tuple[str, tuple[str, ...]]:
    """A plain archive, and not one of the many formats that are packed as one (.jar, .ods, .svgz)."""
    if promised is None and extension:
        raise NotRead(f"has the format {extension}, which is not read")
    if promised in _ZIPPED and promised != found:
        raise Unreadable(_not_what_it_says(promised, head))
    if promised in (found, None):
        return found, ()
    return found, (f"is {found.upper()} although its name ends in {extension}",)


def _not_what_it_says(promised: str, head: bytes) -> str:
    if promised in _ZIPPED and head.startswith(b"PK"):
        return f"is damaged or cut off: not a whole {promised} file"
    return f"is not {promised.upper()}, although it is named so"
