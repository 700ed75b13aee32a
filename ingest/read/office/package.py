"""Office files of a kind that the libraries refuse by its name only: with macros, templates, slide shows."""

from __future__ import annotations

import io
import re
import zipfile
from typing import BinaryIO

_MAIN = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml",
}
_KINDS = {
    "docx": re.compile(
        r"application/vnd\.(?:ms-word\.document\.macroEnabled|ms-word\.template\.macroEnabledTemplate|"
        r"openxmlformats-officedocument\.wordprocessingml\.template)\.main\+xml"
    ),
    "pptx": re.compile(
        r"application/vnd\.(?:ms-powerpoint\.(?:slideshow|template)\.macroEnabled|"
        r"openxmlformats-officedocument\.presentationml\.(?:slideshow|template))\.main\+xml"
    ),
}
_TYPES = "[Content_Types].xml"
_LARGEST_TYPES = 1 << 20


def as_plain_office(file: BinaryIO, kind: str) -> BinaryIO:
    """The file, said to be a plain document or presentation where it says to be a template, a show or one with macros.
    Macros are never run or read."""
    file.seek(0)
    with zipfile.ZipFile(file) as archive:
        entry = archive.getinfo(_TYPES) if _TYPES in archive.namelist() else None
        types = archive.read(entry).decode("utf-8", "replace") if entry and entry.file_size < _LARGEST_TYPES else ""
        if not _KINDS[kind].search(types):
            file.seek(0)
            return file
        plain = io.BytesIO()
        with zipfile.ZipFile(plain, "w") as copy:
            for each in archive.infolist():
                named = each.filename == _TYPES
                copy.writestr(each, _KINDS[kind].sub(_MAIN[kind], types) if named else archive.read(each))
    plain.seek(0)
    return plain
