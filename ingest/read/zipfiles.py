"""Zip files opened with care: a directory of bounded size, no member inside another, no size taken on trust."""

from __future__ import annotations

import struct
import zipfile
from typing import BinaryIO

LARGEST_DIRECTORY = 16 << 20
"""Bytes of a zip's directory: 100,000 members with long names; zipfile builds an object of each before anyone asks."""
_END = b"PK\x05\x06"
_END64 = b"PK\x06\x06"
_LOCATOR64 = b"PK\x06\x07"
_LONGEST_COMMENT = 65_535
_LOCAL_HEADER = 30
"""Bytes that stand before a member's name: APPNOTE.TXT 4.3.7."""
_WORTH_COUNTING = 1 << 18
"""Packed bytes from which a member may unpack to more than deflate's 1032 × 256 KiB = 258 MiB, whatever it declares."""
_PIECE = 1 << 18


def open_zip(file: BinaryIO) -> zipfile.ZipFile:
    """The archive. Raises BadZipFile for one that is damaged, whose directory is larger than `LARGEST_DIRECTORY`, or
    whose names aren't the UTF-8 that they say they are."""
    if (size := _directory_size(file)) > LARGEST_DIRECTORY:
        raise zipfile.BadZipFile(f"its directory of {size / 2**20:.0f} MiB is larger than is safe")
    file.seek(0)
    try:
        return zipfile.ZipFile(file)
    except UnicodeDecodeError:
        raise zipfile.BadZipFile("its names are not the UTF-8 that it says they are") from None


def _directory_size(file: BinaryIO) -> int:
    end = file.seek(0, 2)
    start = max(0, end - _LONGEST_COMMENT - 22)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) < at + 22:
        return 0
    stated: int = struct.unpack_from("<L", tail, at + 12)[0]
    locator = tail[max(0, at - 20) : at]
    if locator.startswith(_LOCATOR64):
        # zipfile looks for the larger record right before its locator, wherever that points
        file.seek(max(0, start + at - 20 - 56))
        record = file.read(56)
        if record.startswith(_END64) and len(record) == 56:
            stated = max(stated, struct.unpack_from("<Q", record, 40)[0])
    return min(stated, end)


def overlaps(archive: zipfile.ZipFile) -> bool:
    """Whether members share bytes, as in a bomb after David Fifield (USENIX WOOT 2019)."""
    entries = sorted(archive.infolist(), key=lambda entry: entry.header_offset)
    ends = (
        entry.header_offset + _LOCAL_HEADER + len(entry.orig_filename.encode("cp437", "replace")) + entry.compress_size
        for entry in entries
    )
    return any(end > after.header_offset for end, after in zip(ends, entries[1:], strict=False))


def counted(archive: zipfile.ZipFile) -> None:
    """Unpack what could be much larger than it declares, a piece at a time and into nothing, up to the declared size.

    A library that asks for the whole member would have all of it in memory before its size is looked at. Raises
    BadZipFile where a member is not what the directory says.
    """
    for entry in archive.infolist():
        if entry.compress_size > _WORTH_COUNTING:
            with archive.open(entry) as member:
                while member.read(_PIECE):
                    pass
