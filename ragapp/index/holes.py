"""Copying files with holes.

Qdrant reserves whole pages (32 MiB for a handful of chunks), of which the file system stores what was written. A plain
copy writes the holes out as zeros: 3 MB of a small index become 290.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import IO

_BLOCK = 1 << 16
_ZEROS = bytes(_BLOCK)


def write_with_holes(sink: IO[bytes], content: bytes) -> None:
    """Write at the sink's place, leaving holes where a whole block is zero; end with `end_with_holes`."""
    for start in range(0, len(content), _BLOCK):
        block = content[start : start + _BLOCK]
        if block == _ZEROS:
            sink.seek(_BLOCK, 1)
        else:
            sink.write(block)


def end_with_holes(sink: IO[bytes]) -> None:
    """Give the file its length, also where it ends in a hole."""
    sink.truncate(sink.tell())


def copy_with_holes(source: str | Path, target: str | Path) -> str:
    """Copy one file and its times, for `shutil.copytree(..., copy_function=copy_with_holes)`; raises OSError."""
    with Path(source).open("rb") as content, Path(target).open("wb") as sink:
        while block := content.read(_BLOCK):
            write_with_holes(sink, block)
        end_with_holes(sink)
    shutil.copystat(source, target)
    return str(target)
