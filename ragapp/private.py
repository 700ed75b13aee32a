"""Folders and files that only their owner gets into, from the moment they are there and whatever the umask says."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER, FILE = 0o700, 0o600


def private_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing, for their owner alone. One that is there stays as it is.
    Raises OSError."""
    missing = []
    while not path.exists():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing or [path]):
        # what is there and is no folder is said here
        folder.mkdir(FOLDER, exist_ok=True)


def private_file(path: str | os.PathLike[str], flags: int) -> int:
    """What `open(…, opener=private_file)` makes is its owner's alone; a file that is there stays as it is."""
    return os.open(path, flags | os.O_CLOEXEC, FILE)
