"""Opens what holds other files: archives, mails with attachments, Office files with embedded ones.

What comes out becomes documents of their own (`mail.eml!/offer.pdf`). Names inside decide nothing about where bytes are
written; nothing that is inside is run, and nothing that it points to is fetched.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from ingest.read import formats
from ingest.unpack.archives import open_gzip, open_tar, open_zip_archive
from ingest.unpack.attachments import open_eml, open_msg
from ingest.unpack.embedded import open_office
from ingest.unpack.opened import ContainerLimits, Opened
from ingest.unpack.unpacker import Full, Unpacker
from ragapp.errors import Unreadable

_OPENERS: dict[str, Callable[[Path, Unpacker], None]] = {
    "zip": open_zip_archive,
    "tar": open_tar,
    "gz": open_gzip,
    "eml": open_eml,
    "msg": open_msg,
    "docx": open_office,
    "pptx": open_office,
    "xlsx": open_office,
}


def holds_files(kind: str) -> bool:
    """Whether files of a kind, as `formats.kind_of` tells it, may hold other files."""
    return kind in _OPENERS


def holds_only_files(kind: str) -> bool:
    """Whether files of a kind have no text of their own, so that there is nothing to parse."""
    return kind in formats.ARCHIVES


def open_container(path: Path, kind: str, into: Path, limits: ContainerLimits, depth: int, *, name: str = "") -> Opened:
    """Take the files out of a container of `kind` that lies in `depth` others; 0 for a file of a folder.
    `name` is what it is called, where `path` is only where it lies.

    Written below `into` only, a folder of this container alone, which is made where it isn't there. Raises Unreadable
    where the container as a whole can't be opened (damaged, a bomb, too deep), and leaves nothing behind then; OSError
    where files can't be read or written.
    """
    too_deep = (
        f"lies too deep, in {depth + 1} other files ({limits.depth} is the most)" if depth >= limits.depth else ""
    )
    if too_deep and holds_only_files(kind):
        raise Unreadable(f"lies in {depth} other files, and what is in it would lie too deep; unpack the outer ones")
    unpacker = Unpacker(into, limits, path.stat().st_size, name, too_deep)
    into.mkdir(parents=True, exist_ok=True)
    try:
        _open(path, kind, unpacker)
    except Full:
        pass  # the refusal that says so is in place
    except BaseException:
        unpacker.clear()
        raise
    return unpacker.opened()


def _open(path: Path, kind: str, unpacker: Unpacker) -> None:
    """What the libraries trip over becomes one reason."""
    try:
        _OPENERS[kind](path, unpacker)
    except (Full, Unreadable):
        raise
    except MemoryError:
        raise Unreadable("needs more memory than there is to be opened") from None
    except RecursionError:
        raise Unreadable("is nested too deeply to be opened") from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        logging.getLogger(__name__).info("%s container: %s: %s", kind, type(error).__name__, error)
        why = " ".join(str(error).split())[:120].rstrip(" .") or type(error).__name__
        raise Unreadable(f"is damaged or cut off and can't be opened as {kind}: {why}") from None
