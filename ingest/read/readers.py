"""What reads each kind of file: its bytes to a draft, refused before they are read where they can't fit."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import BinaryIO

from ingest.read.blocks import Draft
from ingest.read.encoding import decode, marked_width
from ingest.read.zipfiles import counted, open_zip, overlaps
from ragapp.errors import KeptOut, Unreadable

_MARKUP_FACTOR = 4
"""How much larger than its text a file of markup may be: tags, scripts, pictures in base64."""
_MAIL_FACTOR = 8
"""How much larger than its text a mail may be: attachments."""
_ZIP_FACTOR = 8
"""How much larger than its text the unpacked XML of an Office file may be."""
_TAGS = re.compile(rb"<[^>]*>")


def too_much(size: int, limit: int) -> KeptOut:
    """Why a file of so many bytes of text is not read, where its size is known before."""
    return KeptOut(
        f"holds {size / 2**20:.0f} MiB of text, and {limit / 2**20:.0f} MiB is the most (ingest.max_text_mib)"
    )


def _text(file: BinaryIO, limit: int, *, factor: int = 1, declared: bool = False) -> str:
    """The decoded text, refused by its size before it is read where it can't fit."""
    size = os.fstat(file.fileno()).st_size
    if size > limit * factor * marked_width(file.read(4096)):
        raise too_much(size, limit)
    file.seek(0)
    raw = file.read()
    if factor > 1 and size > limit and (visible := len(_TAGS.sub(b"", raw))) > limit:
        raise too_much(visible, limit)
    return decode(raw, declared=declared)


def _check_zip(file: BinaryIO, limit: int) -> None:
    """Refuse archives that unpack to more than their text could need, by what their directory and their bytes say."""
    with open_zip(file) as archive:
        if any(entry.flag_bits & 1 for entry in archive.infolist()):
            raise Unreadable("is encrypted with a password; save it without one")
        entries = [
            entry for entry in archive.infolist() if entry.filename.endswith((".xml", ".html", ".xhtml", ".rels"))
        ]
        unpacked = sum(entry.file_size for entry in entries)
        if unpacked > limit * _ZIP_FACTOR:
            raise KeptOut(f"unpacks to {unpacked / 2**20:.0f} MiB, more than its text could need (ingest.max_text_mib)")
        everything = archive.infolist()
        total = sum(entry.file_size for entry in everything)
        unsafe = f"unpacks to {len(everything)} files of {total / 2**20:.0f} MiB, more than is safe"
        if len(everything) > 50_000:
            raise Unreadable(unsafe)
        if total > max(1 << 30, limit * _ZIP_FACTOR * 4):
            raise KeptOut(f"{unsafe} (ingest.max_text_mib)")
        if overlaps(archive):
            raise Unreadable("holds files inside one another, as a zip bomb does")
        counted(archive)
    file.seek(0)


def _plain(file: BinaryIO, limit: int) -> Draft:
    from ingest.read.text.plain import read_text

    return read_text(_text(file, limit))


def _markdown(file: BinaryIO, limit: int) -> Draft:
    from ingest.read.web.markdown import read_markdown

    return read_markdown(_text(file, limit))


def _html(file: BinaryIO, limit: int) -> Draft:
    from ingest.read.web.markup import read_html

    return read_html(_text(file, limit, factor=_MARKUP_FACTOR, declared=True))


def _xml(file: BinaryIO, limit: int) -> Draft:
    from ingest.read.data.trees import read_xml

    return read_xml(_text(file, limit, factor=_MARKUP_FACTOR, declared=True))


def _json(file: BinaryIO, limit: int) -> Draft:
    from ingest.read.data.trees import read_json

    return read_json(_text(file, limit))


def _csv(file: BinaryIO, limit: int) -> Draft:
    from ingest.read.data.delimited import read_delimited

    return read_delimited(_text(file, limit))


def _tsv(file: BinaryIO, limit: int) -> Draft:
    from ingest.read.data.delimited import read_delimited

    return read_delimited(_text(file, limit), "\t")


def _code(file: BinaryIO, limit: int) -> Draft:
    from ingest.read.text.code import read_code

    return read_code(_text(file, limit))


def _notebook(file: BinaryIO, limit: int) -> Draft:
    from ingest.read.data.notebook import read_notebook

    return read_notebook(_text(file, limit, factor=_MARKUP_FACTOR))


def _yaml(file: BinaryIO, limit: int) -> Draft:
    from ingest.read.text.code import read_keyed

    return read_keyed(_text(file, limit))


def _ini(file: BinaryIO, limit: int) -> Draft:
    from ingest.read.text.code import read_sections

    return read_sections(_text(file, limit))


def _docx(file: BinaryIO, limit: int) -> Draft:
    from ingest.read.office.word import read_docx

    _check_zip(file, limit)
    return read_docx(file)


def _pptx(file: BinaryIO, limit: int) -> Draft:
    from ingest.read.office.slides import read_pptx

    _check_zip(file, limit)
    return read_pptx(file)


def _xlsx(file: BinaryIO, limit: int) -> Draft:
    from ingest.read.office.workbook import read_xlsx

    _check_zip(file, limit)
    return read_xlsx(file, limit)


def _by_pandoc(kind: str) -> Callable[[BinaryIO, int], Draft]:
    def read(file: BinaryIO, limit: int) -> Draft:
        from ingest.read.web.pandoc import read_pandoc

        if kind in ("epub", "odt"):
            _check_zip(file, limit)
            return read_pandoc(file.read(), kind)
        if kind == "rst":
            return read_pandoc(_text(file, limit).encode("utf-8"), kind)
        if os.fstat(file.fileno()).st_size > limit * _MARKUP_FACTOR:
            raise too_much(os.fstat(file.fileno()).st_size, limit)
        return read_pandoc(file.read(), kind)

    return read


def _eml(file: BinaryIO, limit: int) -> Draft:
    from ingest.read.mail.mail import read_eml

    size = os.fstat(file.fileno()).st_size
    if size > limit * _MAIL_FACTOR:
        raise KeptOut(f"is a mail of {size / 2**20:.0f} MiB, too large to be opened (ingest.max_text_mib)")
    return read_eml(file.read(), limit)


def _msg(file: BinaryIO, limit: int) -> Draft:
    from ingest.read.mail.mail import read_msg

    return read_msg(file)


def _pdf(file: BinaryIO, limit: int, ocr: str = "") -> Draft:
    from ingest.read.pdf.pdf import read_pdf

    return read_pdf(file, limit, ocr)


READERS: dict[str, Callable[[BinaryIO, int], Draft]] = {
    "txt": _plain,
    "md": _markdown,
    "rst": _by_pandoc("rst"),
    "html": _html,
    "xml": _xml,
    "docx": _docx,
    "pptx": _pptx,
    "xlsx": _xlsx,
    "csv": _csv,
    "tsv": _tsv,
    "eml": _eml,
    "msg": _msg,
    "json": _json,
    "code": _code,
    "yaml": _yaml,
    "ipynb": _notebook,
    "ini": _ini,
    "epub": _by_pandoc("epub"),
    "odt": _by_pandoc("odt"),
    "rtf": _by_pandoc("rtf"),
    "pdf": _pdf,
}
"""By kind: from the open file and the most bytes of text to its draft."""


def read_kind(kind: str, file: BinaryIO, limit: int, ocr: str) -> Draft:
    """The draft of a file of that kind; raises Unreadable (KeptOut where a limit is in the way), or
    whatever the format's library trips over."""
    file.seek(0)
    return _pdf(file, limit, ocr) if kind == "pdf" else READERS[kind](file, limit)
