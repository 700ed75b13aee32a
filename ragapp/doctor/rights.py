"""Who else gets into a data folder: what lies open to others, what belongs to somebody else, and what lies above it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ragapp.private import FILE, FOLDER

_OTHERS = 0o077
_LOOKED_INTO = ("index", "logs")
"""Folders whose files are looked at too; originals and texts lie in folders that nobody else gets into."""
_LEFT_OUT = ("models",)
"""Weights are no secret, and may be shared."""


def open_to_others(data: Path) -> Iterator[Path]:
    """What somebody else than its owner may read or write."""
    for path in _own(data):
        with suppress(OSError):
            if stat.S_IMODE(path.lstat().st_mode) & _OTHERS and not path.is_symlink():
                yield path


def of_somebody_else(data: Path) -> Iterator[Path]:
    """What belongs to another user than the one that asks."""
    for path in _own(data):
        with suppress(OSError):
            if path.lstat().st_uid != os.geteuid():
                yield path


def writable_above(data: Path) -> Iterator[Path]:
    """Folders above it in which others may rename and replace what they don't own."""
    for folder in data.resolve().parents:
        with suppress(OSError):
            mode = folder.stat().st_mode
            if mode & (stat.S_IWGRP | stat.S_IWOTH) and not mode & stat.S_ISVTX:
                yield folder


def close_to_others(path: Path) -> None:
    """Its owner alone gets into it from now on. Raises OSError."""
    # never through a link that somebody put there meanwhile
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.fchmod(descriptor, FOLDER if stat.S_ISDIR(os.fstat(descriptor).st_mode) else FILE)
    finally:
        os.close(descriptor)


def _own(data: Path) -> Iterator[Path]:
    with suppress(OSError):
        if not data.is_dir():
            return
        yield data
        for path in sorted(data.iterdir()):
            if path.name in _LEFT_OUT:
                continue
            yield path
            if path.name in _LOOKED_INTO and path.is_dir() and not path.is_symlink():
                yield from sorted(path.iterdir())
