"""Texts that a program added as they are: documents of one chunk whose original is the text itself, in UTF-8."""

from __future__ import annotations

import os
from pathlib import Path

from ragapp.catalog.files import DocumentFiles
from ragapp.catalog.rows import DocumentRow
from ragapp.types import Element, Extracted

PARSER = "langchain"
"""What the catalog names as the parser of such a document."""
VERSION = "added1"
"""Under which its text is kept. No version of ragapp's own parser: a file of equal bytes is read in its own way, and
citations of neither may shift."""


def is_added(row: DocumentRow) -> bool:
    """Whether a program added the document as text, so that there is nothing to parse, and no file to look for."""
    return row.parser == PARSER


def original_bytes(text: str) -> bytes:
    """The bytes that are kept as the original. Half characters, which JSON can bring, stay as they are."""
    return text.encode("utf-8", "surrogatepass")


def text_of(original: bytes) -> str:
    """The text that an original is. Raises UnicodeDecodeError where it is none."""
    return original.decode("utf-8", "surrogatepass")


def keep_original(files: DocumentFiles, text: str, *, hold: bool = False) -> str:
    """Keep the bytes; returns their SHA-256. `hold`, and what is raised, are those of DocumentFiles.keep_original."""
    # a file in memory, since the bytes are copied from a file, hashed as they are
    with os.fdopen(os.memfd_create("ragapp-text"), "wb") as file:
        file.write(original_bytes(text))
        file.flush()
        return files.keep_original(Path(f"/proc/self/fd/{file.fileno()}"), hold=hold)


def keep_text(files: DocumentFiles, sha256: str, version: str, text: str, title: str) -> None:
    """Keep the text as what was extracted from the bytes: one element. What is kept whole already stays."""
    if files.extracted(sha256, version) is None:
        elements = (Element("text", 0, len(text)),) if text else ()
        files.keep_extracted(sha256, version, Extracted(text, elements, title, titled=False))
