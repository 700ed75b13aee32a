"""What is being uploaded at this moment: bounded for each person and in all, since it lies on a disk until it is in."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field

_MARGIN = 64 << 20
"""Bytes of the temporary folder's disk that uploads leave to others."""


@dataclass(slots=True)
class Spooling:
    """Bytes of uploads that are on their way. One event loop only."""

    each: int
    most: int
    _of_person: Counter[str] = field(default_factory=Counter)
    _all: int = 0

    def begin(self, person_id: str) -> Spooled:
        """An upload of this person's begins."""
        return Spooled(self, person_id)

    @property
    def bytes(self) -> int:
        return self._all


@dataclass(slots=True)
class Spooled:
    """One upload; `end` is to be called however it ends."""

    _spooling: Spooling
    _person: str
    _bytes: int = 0

    def grow(self, count: int) -> bool:
        """Whether so many bytes more may be kept."""
        spooling = self._spooling
        if spooling._all + count > spooling.most or spooling._of_person[self._person] + count > spooling.each:
            return False
        spooling._all += count
        spooling._of_person[self._person] += count
        self._bytes += count
        return True

    def end(self) -> None:
        self._spooling._all -= self._bytes
        self._spooling._of_person[self._person] -= self._bytes
        if not self._spooling._of_person[self._person]:
            del self._spooling._of_person[self._person]
        self._bytes = 0


def fits_the_disk(count: int) -> bool:
    """Whether the folder that uploads are spooled to has room for so many bytes."""
    return shutil.disk_usage(tempfile.gettempdir()).free > count + _MARGIN
