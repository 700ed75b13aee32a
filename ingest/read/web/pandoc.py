"""EPUB, OpenDocument, RTF and reStructuredText: pandoc, the reader that unstructured uses for them, makes HTML of
them, and the walk over HTML keeps what unstructured's elements would lose of it."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace

from ingest.read.blocks import Draft
from ingest.read.web.markup import read_html
from ragapp.errors import KeptOut, Unreadable

_SECONDS = 120
_MEMORY_MB = 1500
"""Largest heap that pandoc may take; it stops by itself beyond."""
_HEAP_EXHAUSTED = 251
"""What the runtime of Haskell ends with then."""


def read_pandoc(raw: bytes, kind: str) -> Draft:
    """Blocks of a file of `kind` ("epub", "odt", "rtf", "rst"). pandoc runs in its sandbox: it opens no other file.

    Raises KeptOut where pandoc isn't installed, Unreadable for what it can't read.
    """
    command = [_program(kind), "+RTS", f"-M{_MEMORY_MB}m", "-RTS", "--sandbox", "--standalone", "--wrap=none"]
    try:
        done = subprocess.run(
            [*command, f"--from={kind}", "--to=html", "--metadata=lang:"],
            input=raw,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unreadable(f"takes pandoc longer than {_SECONDS} s to read") from None
    if done.returncode == _HEAP_EXHAUSTED:
        raise Unreadable(f"takes pandoc more memory than the {_MEMORY_MB} MB that it may have")
    if done.returncode != 0:
        said = " ".join(done.stderr.decode("utf-8", "replace").split())[:120]
        raise Unreadable(f"is damaged and can't be read as {kind}: {said or 'pandoc stopped'}")
    draft = read_html(done.stdout.decode("utf-8", "replace"))
    return replace(draft, title="" if re.fullmatch(r"-|untitled|", draft.title.lower()) else draft.title)


def _program(kind: str) -> str:
    import pypandoc

    try:
        return str(pypandoc.get_pandoc_path())
    except OSError:
        raise KeptOut(
            f"can't be read as {kind} here: there is no pandoc; run `make setup` or install ragapp anew"
        ) from None
