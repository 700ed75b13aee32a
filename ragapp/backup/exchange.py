"""Exchanging what a data folder holds for what a backup held, so that a kill at any moment leaves one of the two.

The new parts lie whole and checked in a folder beside (`.restore-…`). From the moment its note `decided` is on the disk
the exchange is to be done: whoever opens the folder next does what is left of it, by renames alone. Before that moment
nothing was touched, and what lies beside goes.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ragapp.catalog.catalog import FILE_NAME
from ragapp.catalog.interrupts import interrupts_wait
from ragapp.errors import CatalogError
from ragapp.index.owner import Ownership, is_held_here
from ragapp.private import private_folder

PARTS = ("index", "originals", "extracted", "secret", FILE_NAME)
"""What is replaced; the catalog last, so that no search sees documents before all of the rest is there."""
_OUT = (FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm", "index", "originals", "extracted", "secret", "scratch")
"""What goes before, the catalog first."""
_STAGE = ".restore-"
_GONE = ".restored-"
_NEW, _OLD, _DECIDED, _EMPTY = "new", "old", "decided", "empty"
_OF_OLDER = ".replaced-"
"""Where older versions put aside what they replaced."""


@contextmanager
def stage(data: Path) -> Iterator[Path]:
    """A folder beside the data's own in which the new parts are made; gone at the end, whatever came of it."""
    room = Path(tempfile.mkdtemp(dir=data, prefix=_STAGE))
    try:
        (room / _NEW).mkdir(0o700)
        yield room / _NEW
    finally:
        if not (room / _DECIDED).exists():
            shutil.rmtree(room, ignore_errors=True)


def exchange(data: Path, new: Path) -> None:
    """Put the parts in `new` (of `stage`) where the data's own are, for whoever holds the folder.

    Raises OSError, with everything as it was, where that can't be done; once it was decided it is done, if need be by
    whoever opens the folder next.
    """
    room = new.parent
    os.sync()
    with interrupts_wait():
        _note(room, _DECIDED)
        try:
            _move(data, room)
        except OSError:
            _undo(data, room)
            raise
        _clear(room)


def finish_restore(data: Path) -> None:
    """Do what a killed restore left to do, and clear away what it left: for whoever opens the folder, before anything
    else. Raises IndexLocked while a restore is going on, CatalogError where it can't be brought to its end."""
    try:
        left = sorted(path for path in data.iterdir() if path.name.startswith((_STAGE, _GONE, _OF_OLDER)))
    except OSError:
        return
    if not left:
        return
    with ExitStack() as held:
        if not is_held_here(data):
            held.callback(Ownership.of_folder(data).release)
        try:
            for room in left:
                if (room / _DECIDED).exists() and not room.name.startswith(_GONE):
                    _move(data, room)
                elif room.name.startswith(_OF_OLDER) and not (data / FILE_NAME).exists():
                    # a restore of an older version was killed half way: what it put aside is the folder as it was
                    _put_back(data, room)
                _clear(room)
        except OSError as error:
            raise CatalogError(
                f"A restore of {data} was cut short and can't be brought to its end ({error.strerror}); give this user "
                "the right to write there."
            ) from None


def _move(data: Path, room: Path) -> None:
    """What is left of the exchange: first all that is old goes out, then what is new comes in."""
    new, old = room / _NEW, room / _OLD
    private_folder(old)
    if not (room / _EMPTY).exists():
        for name in _OUT:
            if (data / name).exists() and not (old / name).exists():
                (data / name).rename(old / name)
        _sync(old)
        _note(room, _EMPTY)
    for name in PARTS:
        if (new / name).exists():
            _make_room(data, name, old)
            (new / name).rename(data / name)
    _sync(data)


def _make_room(data: Path, name: str, old: Path) -> None:
    """What something that knew of no restore has made meanwhile."""
    for found in (name, f"{name}-wal", f"{name}-shm") if name == FILE_NAME else (name,):
        if (data / found).exists():
            (data / found).rename(Path(tempfile.mkdtemp(dir=old)) / found)


def _undo(data: Path, room: Path) -> None:
    new, old = room / _NEW, room / _OLD
    if (room / _EMPTY).exists():
        for name in reversed(PARTS):
            if not (new / name).exists() and (data / name).exists():
                (data / name).rename(new / name)
    _put_back(data, old)
    (room / _DECIDED).unlink()


def _put_back(data: Path, old: Path) -> None:
    # the catalog last: without it nothing answers
    for name in reversed(_OUT):
        if (old / name).exists() and not (data / name).exists():
            (old / name).rename(data / name)


def _clear(room: Path) -> None:
    """First under a name that says that it is done with, since a kill may leave any part of it."""
    gone = room if room.name.startswith(_GONE) else room.with_name(f"{_GONE}{room.name.strip('.')}")
    if gone != room:
        room.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _note(room: Path, name: str) -> None:
    (room / name).touch(0o600)
    _sync(room)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
