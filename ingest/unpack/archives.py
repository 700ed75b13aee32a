"""Zip, tar and gzip: their members one after the other, with a reason for each that doesn't come out."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePath
from typing import IO, BinaryIO, cast

from ingest.read.zipfiles import open_zip, overlaps
from ingest.unpack.unpacker import Unpacker
from ragapp.errors import Unreadable

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
"""LZMA is left out: a member says how much memory its window takes, up to 4 GiB."""
_OTHER_METHODS = {9: "Deflate64", 14: "LZMA", 93: "Zstandard", 95: "XZ", 98: "PPMd", 99: "AES"}
_UTF8_NAME = 0x800
_MAGIC_AT = 257
"""Where a tar's first header says "ustar"."""
_DAMAGED = "is damaged or cut off inside its archive"


def open_zip_archive(path: Path, unpacker: Unpacker) -> None:
    """Every member of a zip. Raises Unreadable for an archive that can't be opened as a whole."""
    with path.open("rb") as file, open_zip(file) as archive:
        entries = archive.infolist()
        if overlaps(archive):
            raise Unreadable("holds files inside one another, as a zip bomb does; nothing was taken")
        if entries and all(entry.flag_bits & 1 for entry in entries if not entry.is_dir()):
            raise Unreadable("is encrypted with a password; save it without one")
        for entry in entries:
            if not entry.is_dir():
                _zip_member(archive, entry, unpacker)


def _zip_member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, unpacker: Unpacker) -> None:
    name = zip_name(entry)
    mode = entry.external_attr >> 16
    if entry.flag_bits & 1:
        reason = "is encrypted with a password; save it without one"
    elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        reason = _not_a_file(stat.S_ISLNK(mode))
    elif entry.compress_type not in _METHODS:
        method = _OTHER_METHODS.get(entry.compress_type, f"number {entry.compress_type}")
        reason = f"is packed by a method that is not read ({method}); pack it again as an ordinary zip"
    else:
        reason = ""
    if reason:
        unpacker.count(name)
        unpacker.refuse(name, reason)
        return
    try:
        with archive.open(entry) as member:
            unpacker.take(name, member)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError):
        unpacker.refuse(name, _DAMAGED)
    except OSError as error:
        if error.errno is not None:
            raise
        unpacker.refuse(name, _DAMAGED)


def zip_name(entry: zipfile.ZipInfo) -> str:
    """The member's name as its writer meant it: programs on Linux and macOS write UTF-8 without saying so."""
    if entry.flag_bits & _UTF8_NAME:
        return entry.orig_filename
    try:
        return entry.orig_filename.encode("cp437").decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return entry.orig_filename


def _not_a_file(link: bool) -> str:
    return "is a link, which is not followed" if link else "is a device, pipe or socket, which is not read"


def open_tar(path: Path, unpacker: Unpacker) -> None:
    """Every member of a tar."""
    with path.open("rb") as file:
        _tar_members(file, unpacker)


def open_gzip(path: Path, unpacker: Unpacker) -> None:
    """The one file that is packed in a gzip, or the members of a packed tar."""
    with gzip.open(path, "rb") as packed:
        try:
            head = packed.read(512)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise Unreadable(f"is damaged or cut off and can't be opened as gz: {error}") from None
        packed.seek(0)
        if head[_MAGIC_AT : _MAGIC_AT + 5] == b"ustar":
            _tar_members(_Counted(packed, unpacker), unpacker)
            return
        name = PurePath(unpacker.name or path.name)
        inner = name.stem if name.suffix.lower() == ".gz" else name.name
        try:
            unpacker.take(inner, cast(IO[bytes], packed))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise Unreadable(f"is damaged or cut off and can't be opened as gz: {error}") from None


class _Counted(io.RawIOBase):
    """A stream whose every byte counts, also those of headers and of members that are passed over."""

    def __init__(self, source: BinaryIO | gzip.GzipFile, unpacker: Unpacker) -> None:
        self._source = source
        self._unpacker = unpacker

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        piece = self._source.read(size)
        self._unpacker.came(len(piece))
        return piece


def _tar_members(stream: BinaryIO | _Counted, unpacker: Unpacker) -> None:
    # "r|" never seeks back, so that a header with a negative size can't make it go round for ever
    unpacker.counts = not isinstance(stream, _Counted)
    last = -1
    try:
        with tarfile.open(fileobj=stream, mode="r|", errorlevel=2) as archive:
            for entry in archive:
                if entry.offset_data <= last or entry.size < 0:
                    raise tarfile.ReadError("its headers go round in a circle")
                last = entry.offset_data
                if not entry.isdir():
                    _tar_member(archive, entry, unpacker)
                archive.members.clear()  # type: ignore[attr-defined]
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError) as error:
        if not unpacker.members:
            raise Unreadable(f"is damaged or cut off and can't be opened as tar: {error}") from None
        unpacker.refuse("…", f"the archive is damaged or cut off behind {unpacker.members[-1].name}")


def _tar_member(archive: tarfile.TarFile, entry: tarfile.TarInfo, unpacker: Unpacker) -> None:
    if entry.issym() or entry.islnk():
        reason = _not_a_file(link=True)
    elif not entry.isreg():
        reason = _not_a_file(link=False)
    elif entry.issparse():
        reason = "is a file with holes, which is not unpacked; pack it again without --sparse"
    else:
        reason = ""
    content = None if reason else archive.extractfile(entry)
    if content is None:
        unpacker.count(entry.name)
        unpacker.refuse(entry.name, reason or _DAMAGED)
        return
    unpacker.take(entry.name, content)
