"""Takes the files out of one container, within limits that are counted as the bytes come, under names of our own."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from ingest.read.formats import NotRead, kind_of
from ingest.unpack.opened import ContainerLimits, Failure, Member, Opened
from ragapp.errors import Unreadable

PIECE = 1 << 18
"""Bytes that are read and counted at a time."""
_LONGEST_NAME = 1000
"""Characters of a member's name with its folders; a source is a key of the catalog."""
_DRIVE = re.compile(r"[A-Za-z]:")
_JOINERS = frozenset("\u200c\u200d")
"""They make emoji and Persian words, and can't reorder what is read."""


class Full(Exception):
    """No more may come out of this container."""


@dataclass(slots=True)
class Unpacker:
    """The members of one container while they come out of it. `packed` is the container's own size in bytes."""

    into: Path
    limits: ContainerLimits
    packed: int
    name: str = ""
    """What the container is called: a gzip's one file has its name from it."""
    too_deep: str = ""
    """Why nothing may come out, where the container lies in too many others."""
    members: list[Member] = field(default_factory=list)
    refused: list[Failure] = field(default_factory=list)
    skipped: list[Failure] = field(default_factory=list)
    seen: int = 0
    unpacked: int = 0
    """Bytes that came out, those of members that were left out again included."""
    kept: int = 0
    counts: bool = True
    """Whether written bytes still have to be counted; False where the container's stream counts all that it gives."""
    _names: set[str] = field(default_factory=set)
    _twins: dict[str, int] = field(default_factory=dict)
    """How many have asked for a name."""

    def take(self, name: str, content: IO[bytes] | list[bytes]) -> None:
        """Write one member. Raises Full where the container's limits are reached, Unreadable where it is a bomb, and
        whatever reading `content` raises; nothing of the member stays then."""
        self.count(name)
        try:
            shown = self._free(plain_name(name))
        except Unreadable as reason:
            self.refused.append(Failure(printable_name(name), str(reason)))
            return
        if self.too_deep:
            self.refuse(shown, self.too_deep)
            return
        if is_hidden(shown):
            self.skip(shown, "hidden")
            return
        path = self.into / f"{self.seen:06d}"
        size = self._write(path, shown, content)
        try:
            kind_of(path, shown)
        except NotRead as reason:
            path.unlink()
            self.skip(shown, str(reason))
            return
        except Unreadable:
            pass  # its own row says so when it is parsed
        self.kept += size
        self._names.add(shown)
        self.members.append(Member(shown, path))

    def count(self, name: str) -> None:
        """One more member, of whatever sort. Raises Full where there are too many."""
        self.seen += 1
        if self.seen > self.limits.members:
            self.refuse(name, f"not opened, and nothing behind it: {self.limits.members} files are the most")
            raise Full

    def refuse(self, name: str, reason: str) -> None:
        """A member that can't come out."""
        self.refused.append(Failure(printable_name(name), reason))

    def skip(self, name: str, reason: str) -> None:
        """A member that is left out on purpose."""
        self.skipped.append(Failure(printable_name(name), reason))

    def opened(self) -> Opened:
        """What has come out."""
        return Opened(tuple(self.members), tuple(self.refused), tuple(self.skipped), self.kept)

    def clear(self) -> None:
        """Take away what was written."""
        for member in self.members:
            member.path.unlink(missing_ok=True)

    def came(self, size: int) -> None:
        """So many more bytes came out of the container. Raises Unreadable where that makes it a bomb."""
        self.unpacked += size
        if self.unpacked > max(self.limits.harmless, self.limits.ratio * self.packed):
            raise Bomb(
                f"unpacks to more than {self.limits.ratio} times its size, as a zip bomb does; nothing was taken"
            )

    def _write(self, path: Path, name: str, content: IO[bytes] | list[bytes]) -> int:
        size = 0
        try:
            with path.open("xb") as file:
                for piece in content if isinstance(content, list) else pieces(content):
                    if self.counts:
                        self.came(len(piece))
                    size += len(piece)
                    if self.unpacked > self.limits.unpacked:
                        raise _TooLarge
                    file.write(piece)
        except _TooLarge:
            path.unlink()
            most = f"{self.limits.unpacked / 2**20:.0f} MiB of unpacked files are the most"
            self.refuse(name, f"not opened, and nothing behind it: {most}")
            raise Full from None
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return size

    def _free(self, name: str) -> str:
        """The name, numbered where the container holds another of that name: two mails' "offer.pdf" are two offers."""
        stem, dot, extension = name.rpartition(".") if "." in name.rpartition("/")[2] else (name, "", "")
        free = name
        while free in self._names:
            self._twins[name] = self._twins.get(name, 1) + 1
            free = f"{stem} ({self._twins[name]}){dot}{extension}"
        return free


class Bomb(Unreadable):
    """A container made to fill the disk."""


class _TooLarge(Exception):
    """The limit of unpacked bytes is reached."""


def pieces(content: IO[bytes]) -> Iterator[bytes]:
    """The bytes of an open file, a piece at a time."""
    while piece := content.read(PIECE):
        yield piece


def printable_name(name: str) -> str:
    """A name as text that can be stored and printed on one line: control characters, bytes that are no UTF-8 and marks
    that turn the direction of reading become \\x…; composed (NFC), as most programs write names."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    text = unicodedata.normalize("NFC", text)
    shown = "".join(
        " " if unicodedata.category(c) == "Zs" else c if c.isprintable() or c in _JOINERS else _escaped(c) for c in text
    )
    return shown if len(shown) <= _LONGEST_NAME else shown[:_LONGEST_NAME] + "…"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def plain_name(name: str) -> str:
    """The name of a member as a relative path. Raises Unreadable for one that is none."""
    path = name.replace("\\", "/")
    if path.startswith("/") or _DRIVE.match(path):
        raise Unreadable("has a name that is a path of the whole machine; pack it again with names below one folder")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise Unreadable("has a name that leads out of its archive (..); pack it again with names below one folder")
    if not parts:
        raise Unreadable("has no name")
    if len(name) > _LONGEST_NAME:
        raise Unreadable(f"has a name of more than {_LONGEST_NAME} characters")
    # "!/" parts a container from what is inside it, and no member may look as if it lay in another one
    return "/".join(printable_name(part) for part in parts).replace("!/", "\\x21/")


def is_hidden(name: str) -> bool:
    """Whether programs keep it for themselves: names with a leading dot, Office's lock files, macOS's own folder."""
    return any(part.startswith((".", "~$")) or part == "__MACOSX" for part in name.split("/"))
