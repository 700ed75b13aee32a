"""Folders for what lies about only while a run lasts; what a killed process left goes with the next run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ragapp.catalog.process import is_running, own_mark
from ragapp.private import private_folder


@contextmanager
def scratch_folder(root: Path) -> Iterator[Path]:
    """A folder of one's own below `root`, removed at the end with all that is in it."""
    private_folder(root)
    for left in root.iterdir():
        if not is_running(left.name.partition(" ")[0]):
            shutil.rmtree(left, ignore_errors=True)
    own = Path(tempfile.mkdtemp(dir=root, prefix=f"{own_mark()} "))
    try:
        yield own
    finally:
        shutil.rmtree(own, ignore_errors=True)
