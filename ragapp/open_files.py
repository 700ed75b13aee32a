"""How many files this process may have open, and how many connections fit beside what else it keeps open."""

from __future__ import annotations

import resource
from dataclasses import dataclass

RESERVE = 512
"""Descriptors for all but connections: catalog, index, engine, workers, uploads, and what is taken in one turn."""
_EACH = 2
"""Of one connection: the page's WebSocket goes on to the page's process."""
_FEWEST = 16


@dataclass(frozen=True, slots=True)
class Room:
    """What the machine leaves of `serve.connections`."""

    wanted: int
    connections: int
    files: int
    """The limit on open files."""

    @property
    def is_enough(self) -> bool:
        return self.connections >= self.wanted

    @property
    def found(self) -> str:
        return f"a process may open {self.files} files, which leaves room for {self.connections} connections"

    @property
    def remedy(self) -> str:
        return (
            f"for serve.connections ({self.wanted}) raise the limit to {needed(self.wanted)}: ulimit -n in the shell, "
            "LimitNOFILE= for systemd, ulimits: for Compose"
        )


def needed(connections: int) -> int:
    """The limit on open files with which so many connections fit."""
    return connections * _EACH + RESERVE


def room(wanted: int, files: int | None = None) -> Room:
    """How many connections fit, with the limit on open files as it is, or as far as it may be raised."""
    if files is None:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        files = needed(wanted) if soft == resource.RLIM_INFINITY else soft
    return Room(wanted, max(_FEWEST, min(wanted, (files - RESERVE) // _EACH)), files)


def raised(wanted: int) -> Room:
    """The room after this process's own limit was raised as far as is needed and allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _allowed(wanted, soft, hard)
    if most > soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return room(wanted)


def foretold(wanted: int) -> Room:
    """The room that `raised` will make; nothing is changed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return room(wanted, needed(wanted) if soft == resource.RLIM_INFINITY else _allowed(wanted, soft, hard))


def _allowed(wanted: int, soft: int, hard: int) -> int:
    """No more than is needed: what walks through all descriptors that there might be gets slow with millions."""
    best = max(soft, needed(wanted))
    return best if hard == resource.RLIM_INFINITY else min(best, hard)
