"""Jupyter notebooks: the text of their cells, the code, and what it printed; pictures are left out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ingest.read.blocks import Block, Draft, block
from ingest.read.web.markdown import read_markdown
from ragapp.errors import Unreadable


def read_notebook(text: str) -> Draft:
    """Blocks of a notebook's cells in order."""
    try:
        tree = json.loads(text)
        cells = tree["cells"]
    except (ValueError, KeyError, TypeError):
        raise Unreadable("is no Jupyter notebook: it has no cells") from None
    return Draft(tuple(piece for cell in cells if isinstance(cell, dict) for piece in _cell(cell)))


def _cell(cell: dict[str, Any]) -> Iterator[Block]:
    source = _joined(cell.get("source"))
    if cell.get("cell_type") == "markdown":
        yield from read_markdown(source).blocks
        return
    yield from block("code", source)
    for output in cell.get("outputs") or []:
        said = output.get("text") or (output.get("data") or {}).get("text/plain") or ""
        yield from block("text", _joined(said))


def _joined(lines: Any) -> str:
    return "".join(map(str, lines)) if isinstance(lines, list) else str(lines or "")
