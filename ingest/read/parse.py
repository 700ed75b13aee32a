"""The door to every format: one file in, its extracted text out, or one true reason why not."""

from __future__ import annotations

import logging
import os
import re
import warnings
from dataclasses import replace
from pathlib import Path, PurePath
from typing import BinaryIO

from ingest.read import formats
from ingest.read.blocks import Draft, assemble, levelled, one_line
from ingest.read.dates import dated_title, own_date
from ingest.read.formats import kind_and_notes, opened
from ingest.read.language import language_of
from ingest.read.readers import read_kind, too_much
from ragapp.errors import KeptOut, Unreadable
from ragapp.types import Extracted

PARSER_VERSION = "3"
"""Changes with anything that changes the text, spans or titles made of the same bytes."""
_LONGEST_NAME = 120
_SECTION = re.compile(r"(?:§\s*)?\d+(?:\.\d+)*[.)]?\s")


def parse(path: Path, *, name: str | None = None, max_text_bytes: int, ocr: str = "") -> Extracted:
    """The text, elements, words and facts of one file, by its content first and its name second.

    `name` is what the file is called where `path` is only where it lies; `max_text_bytes` bounds the UTF-8 size of
    the extracted text; `ocr` names the languages in which tesseract reads pages that are only a picture ("eng+deu"),
    and they are left out where it is empty. Raises Unreadable with the reason, KeptOut where a limit or a
    missing package is it; OSError where the file can't be opened.
    """
    shown = name or path.name
    with opened(path) as file:
        kind, notes = kind_and_notes(file, shown)
        if kind in formats.ARCHIVES:
            raise Unreadable(f"is a {kind} archive, which holds no text of its own")
        draft = _read(kind, file, max_text_bytes, ocr)
    draft = replace(draft, notes=(*notes, *draft.notes))
    return _extracted(draft, shown, max_text_bytes)


def _read(kind: str, file: BinaryIO, limit: int, ocr: str) -> Draft:
    """The draft of one file; whatever a format's library trips over becomes a reason."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read_kind(kind, file, limit, ocr)
    except Unreadable:
        raise
    except MemoryError:
        raise KeptOut("needs more memory than there is (ingest.worker_memory_mib)") from None
    except RecursionError:
        raise Unreadable("is nested too deeply to be read") from None
    except ImportError as error:
        raise KeptOut(
            f"can't be read as {kind} here: {_why(error)}; run `make setup` or install ragapp anew"
        ) from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        logging.getLogger(__name__).info("%s reader: %s: %s", kind, type(error).__name__, error)
        damaged = "" if kind in formats.TEXTUAL else "is damaged or cut off and "
        raise Unreadable(f"{damaged}can't be read as {kind}: {_why(error)}") from None


def _why(error: Exception) -> str:
    said = one_line(re.sub(r"<[^>]*>|/\S+", "", str(error)))[:120].rstrip(" .")
    return said or type(error).__name__


def _extracted(draft: Draft, name: str, limit: int) -> Extracted:
    blocks = levelled(draft.blocks)
    if not blocks:
        raise Unreadable("holds no text" + (f" ({draft.notes[-1]})" if draft.notes else ""))
    text, elements, words = assemble(blocks)
    if len(text) > limit or (4 * len(text) > limit and len(text.encode("utf-8")) > limit):
        raise too_much(len(text.encode("utf-8")), limit)
    own_title = one_line(draft.title) or _first_heading(draft)
    title = own_title or title_of_name(name)
    prose = "\n".join(b.text for b in blocks[:40] if b.kind != "table_row" and not b.hidden)
    return Extracted(
        text,
        elements,
        title,
        pages=draft.pages,
        words=words,
        page_sizes=draft.page_sizes,
        dated=draft.dated or dated_title(title) or own_date(prose),
        language=language_of(text),
        notes=draft.notes,
        titled=bool(own_title),
        left_out=draft.left_out,
        by_ocr=draft.by_ocr,
    )


def _first_heading(draft: Draft) -> str:
    """The first heading where it stands above all others and is no numbered section."""
    titles = [b for b in draft.blocks if b.kind == "title" and not b.hidden]
    if draft.titled_parts or not titles or _SECTION.match(titles[0].text):
        return ""
    return one_line(titles[0].text)[:200] if titles[0].level == min(b.level for b in titles) else ""


def title_of_name(name: str) -> str:
    """The file's name as a title: readable, on one line, valid text."""
    stem = os.fsencode(PurePath(name).stem).decode("utf-8", "replace")
    return one_line(re.sub(r"[_\s]+", " ", stem))[:_LONGEST_NAME] or "untitled"
