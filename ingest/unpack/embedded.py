"""Office files: the files that were put into them as objects. Pictures, fonts and macros are none."""

from __future__ import annotations

import io
import posixpath
import re
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

from ingest.read.zipfiles import open_zip, overlaps
from ingest.unpack.unpacker import PIECE, Unpacker
from ragapp.errors import Unreadable

_EMBEDDINGS = re.compile(r"(?:word|ppt|xl)/embeddings/[^/]+")
_CHART_RELATIONS = re.compile(r"(?:word|ppt|xl)/charts/_rels/[^/]+\.rels")
_TARGET = re.compile(rb'Target="([^"]+)"')
_LARGEST_OBJECT = 256 << 20
"""Bytes of an OLE object, which is read whole."""
_LARGEST_RELATIONS = 1 << 20
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PACKAGE = "\x01Ole10Native"
_WHOLE_FILES = ("Package", "CONTENTS", "EmbeddedOdf")
"""Streams that hold a file as it is: Office's own, Acrobat's, LibreOffice's."""
_DRAWN = ("Equation Native", "MetaFile", "\x03META")


def open_office(path: Path, unpacker: Unpacker) -> None:
    """Every file that was embedded in a Word, PowerPoint or Excel file. Raises Unreadable for a zip bomb."""
    with path.open("rb") as file, open_zip(file) as archive:
        if overlaps(archive):
            raise Unreadable("holds files inside one another, as a zip bomb does; nothing was taken")
        charted = _behind_charts(archive)
        for entry in archive.infolist():
            if not _EMBEDDINGS.fullmatch(entry.filename) or entry.is_dir():
                continue
            name = posixpath.basename(entry.filename)
            if entry.filename in charted:
                unpacker.count(name)
                unpacker.skip(name, "holds the figures of a chart, which are read with the document")
                continue
            try:
                _take_embedded(archive, entry, name, unpacker)
            except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, struct.error):
                unpacker.refuse(name, "is damaged or cut off inside its document")


def _behind_charts(archive: zipfile.ZipFile) -> set[str]:
    """The workbooks that charts keep their figures in."""
    found: set[str] = set()
    for entry in archive.infolist():
        if _CHART_RELATIONS.fullmatch(entry.filename):
            with archive.open(entry) as member:
                targets = _TARGET.findall(member.read(_LARGEST_RELATIONS))
            folder = posixpath.dirname(posixpath.dirname(entry.filename))
            found |= {
                posixpath.normpath(posixpath.join("/", folder, t.decode("utf-8", "replace")))[1:] for t in targets
            }
    return found


def _take_embedded(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str, unpacker: Unpacker) -> None:
    with archive.open(entry) as member:
        if member.read(8) != _OLE:
            member.seek(0)
            unpacker.take(name, member)
            return
        member.seek(0)
        content = bytearray()
        while piece := member.read(PIECE):
            unpacker.came(len(piece))
            content += piece
            if len(content) > _LARGEST_OBJECT:
                unpacker.count(name)
                unpacker.refuse(name, f"is an object of more than {_LARGEST_OBJECT >> 20} MiB, too large to be opened")
                return
    _take_object(bytes(content), name, unpacker)


def _take_object(content: bytes, name: str, unpacker: Unpacker) -> None:
    """The file inside an OLE object; what is a file by itself (an Outlook mail, an old Word file) comes out whole."""
    import olefile

    try:
        with olefile.OleFileIO(io.BytesIO(content)) as ole:
            streams = {entry[0] for entry in ole.listdir() if len(entry) == 1}
            whole = next((stream for stream in _WHOLE_FILES if stream in streams), "")
            if _PACKAGE in streams:
                label, data = _packaged(ole.openstream(_PACKAGE).read())
            elif whole:
                label, data = name, ole.openstream(whole).read()
            else:
                label, data = name, content
                if streams & set(_DRAWN):
                    unpacker.count(name)
                    unpacker.skip(name, "is drawn, not a file (an equation or a picture)")
                    return
    except (OSError, ValueError, IndexError, struct.error):
        unpacker.count(name)
        unpacker.refuse(name, "is an object that is damaged or of a kind that can't be opened")
        return
    unpacker.take(_named(label or name, data), [data])


def _named(name: str, data: bytes) -> str:
    """The name without the ending .bin, which says nothing of what is inside."""
    base = name.replace("\\", "/").rpartition("/")[2]
    if not base.lower().endswith(".bin"):
        return base or name
    stem = base[:-4]
    if data.startswith(b"%PDF-"):
        return f"{stem}.pdf"
    return stem


def _packaged(native: bytes) -> tuple[str, bytes]:
    """Name and bytes of a file that the Packager wrapped: size, flags, label, path, flags, size of path, path, size,
    bytes ([MS-OLEDS] 2.3.6 and what Windows writes). Raises ValueError where it is not that."""
    at = 6
    label, at = _text_at(native, at)
    origin, at = _text_at(native, at)
    at += 4
    (length,) = struct.unpack_from("<L", native, at)
    at += 4 + length
    (size,) = struct.unpack_from("<L", native, at)
    at += 4
    if size > len(native) - at:
        raise ValueError("the package is cut off")
    return label or origin, native[at : at + size]


def _text_at(native: bytes, at: int) -> tuple[str, int]:
    end = native.index(b"\x00", at)
    raw: Any = native[at:end]
    try:
        return raw.decode("utf-8"), end + 1
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace"), end + 1
