"""What came out of a container, what didn't and why, and how much may."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Failure:
    """One file that is not in, and why."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class ContainerLimits:
    """How much may come out of one container.

    Chosen for a company's share: an exported project or mailbox of a few thousand files fits, and the worst that a
    hostile file costs is the disk and the seconds of `unpacked` bytes.
    """

    depth: int = 4
    """Containers inside one another: a document in a zip in a mail that was handed on in a mail."""
    members: int = 10_000
    unpacked: int = 2 << 30
    """Bytes of all members: four files of the largest size that is ingested by default (512 MiB)."""
    ratio: int = 200
    """Times that the members may be larger than the container. Logs and tables of one machine's making pack 20 to 100
    times; a zip bomb packs 1000 times, since that is all that deflate can do."""
    harmless: int = 256 << 20
    """Bytes up to which the ratio is not looked at."""

    def less(self, opened: Opened) -> ContainerLimits:
        """What is left for the containers inside, so that a whole nest of them stays within the limits of one."""
        return replace(
            self,
            members=max(0, self.members - len(opened.members) - len(opened.refused) - len(opened.skipped)),
            unpacked=max(0, self.unpacked - opened.unpacked),
        )


@dataclass(frozen=True, slots=True)
class Member:
    """A file out of a container."""

    name: str
    """Printable, relative, "/" between folders and never ".." among them; no two of a container are the same."""
    path: Path
    """Its bytes; the file's name says nothing."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a container held; names of failures are as they are written in it, made printable."""

    members: tuple[Member, ...]
    refused: tuple[Failure, ...] = ()
    """What a person would have expected to be ingested."""
    skipped: tuple[Failure, ...] = ()
    """What is left out on purpose: formats that aren't read (logos, signatures, fonts), hidden files."""
    unpacked: int = 0
    """Bytes that the members take."""
