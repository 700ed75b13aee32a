"""What made the text and the chunks of a document, as its row says it, and when that counts as stale."""

from __future__ import annotations

from ingest.chunk.chunk import CHUNKER_VERSION
from ingest.read.parse import PARSER_VERSION
from ragapp.types import Extracted

WHOLE = PARSER_VERSION
"""Version under which text is kept that doesn't depend on OCR."""
WITHOUT_PICTURES = f"{PARSER_VERSION}p"
"""The same for text of which pages are missing that are only a picture."""
BY_OCR = f"{PARSER_VERSION}o"
"""The same for text that OCR read in part."""


def text_version(extracted: Extracted) -> str:
    """The version under which this text is kept."""
    if extracted.by_ocr:
        return BY_OCR
    return WITHOUT_PICTURES if extracted.left_out else WHOLE


def text_versions(ocr: bool) -> tuple[str, ...]:
    """The versions of kept text that still hold. Pages that OCR could read are missed only where it is on; what it
    has read stays when it is turned off."""
    return (WHOLE, BY_OCR) if ocr else (WHOLE, BY_OCR, WITHOUT_PICTURES)


def parsed_by(version: str) -> str:
    """What a document's row says made it, with chunks as they are cut now."""
    return f"{version}.{CHUNKER_VERSION}"


def current(ocr: bool) -> frozenset[str]:
    """What rows say of documents that are not stale."""
    return frozenset(map(parsed_by, text_versions(ocr)))
