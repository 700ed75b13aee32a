"""Where words lie on the disk, in files of any kind."""

from __future__ import annotations

import gzip
from pathlib import Path


def holding(folder: Path, words: bytes) -> list[str]:
    """The files below a folder that hold these words, packed ones too, whatever the case; models are left out."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "models" not in path.parts and words.lower() in _content(path).lower():
            found.append(str(path.relative_to(folder)))
    return found


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return b""  # a running index puts its files aside
    return gzip.decompress(content) if path.suffix == ".gz" else content
