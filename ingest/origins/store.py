"""A place that lists and reads what is not on this machine, and how its names and faults are said."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ragapp.errors import SourceUnavailable


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing a store holds: `path` below its root as bytes, and what it says of itself."""

    path: bytes
    locator: bytes
    size: int = 0
    modified: datetime | None = None
    fingerprint: str = ""
    left_out: str = ""
    """Why it is no file to take; empty for a file."""
    failed: bool = False


class Store(Protocol):
    """A place that lists and reads. OSError means that trying again may help; PermissionError and FileNotFoundError
    mean what they say."""

    @property
    def url(self) -> str: ...
    def walk(self) -> Iterator[Thing]:
        """Raises SourceUnavailable where it can't go on."""

    def read(self, locator: bytes, offset: int, fingerprint: str) -> Iterator[bytes]:
        """Raises PassingFault where the bytes are no longer those of the fingerprint."""

    def close(self) -> None: ...

    @property
    def here(self) -> bool:
        """Whether its locators are paths of this machine, under another protocol."""


def shown(path: bytes | str) -> str:
    """A path as printable text: what is no UTF-8, and control characters, become \\xNN."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() or letter == " " else _escaped(letter) for letter in text)


def plain(error: BaseException) -> str:
    """What an error says, in one line that names no credentials."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return shown(" ".join(str(text).split())[:200])


def unavailable(url: str, reason: str) -> SourceUnavailable:
    return SourceUnavailable(f"The source {url} can't be read: {reason}.")


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii") if ord(letter) > 0x7F else f"\\x{ord(letter):02x}"
