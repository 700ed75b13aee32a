"""Lines of a log that come again and again: said once a minute, and then how often, so that a flood fills no disk."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field

_WITHIN_S = 60.0
_KINDS = 1000
"""Kinds that are told apart at once; the rest of them are one."""
_REST = ("other lines",)


@dataclass(slots=True)
class _Kind:
    until: float
    example: logging.LogRecord
    written: int = 0
    kept_back: int = 0


@dataclass(slots=True)
class Repeated:
    """What one log was told lately."""

    clock: Callable[[], float] = time.monotonic
    _kinds: dict[Hashable, _Kind] = field(default_factory=dict)
    _sweep_at: float = 0.0

    def shown(self, record: logging.LogRecord, with_request: bool) -> Iterator[logging.LogRecord]:
        """What is to be written where `record` was: the counts whose minute is over, and the record unless it came just
        before. One `with_request` is found by its request's id, so it is written all the same, without its traceback.
        """
        now = self.clock()
        if now >= self._sweep_at:
            yield from self._over(now)
        if (told := _kind_of(record)) is None:
            yield record
            return
        key, most = told
        if key not in self._kinds and len(self._kinds) >= _KINDS:
            key = _REST
        kind = self._kinds.setdefault(key, _Kind(now + _WITHIN_S, record))
        if kind.written < most:
            kind.written += 1
            yield record
        elif with_request and record.levelno >= logging.WARNING:
            yield _short(record)
        else:
            kind.kept_back += 1

    def rest(self) -> Iterator[logging.LogRecord]:
        """The counts that are still to be written."""
        yield from self._over(float("inf"))

    def _over(self, now: float) -> Iterator[logging.LogRecord]:
        self._sweep_at = now + 1.0
        for key in [key for key, kind in self._kinds.items() if now >= kind.until]:
            kind = self._kinds.pop(key)
            if kind.kept_back:
                yield _count(kind)


def _kind_of(record: logging.LogRecord) -> tuple[Hashable, int] | None:
    """As what a record is counted, and how many of its kind are written in a minute; None for what always is."""
    if (own := getattr(record, "ragapp_kind", None)) is not None:
        (key, most) = own
        return (record.name, key), int(most)
    if record.levelno < logging.WARNING:
        return None
    # asyncio puts objects with their addresses below the first line
    said = str(record.msg).partition("\n")[0][:200]
    if not record.exc_info or record.exc_info[0] is None:
        # without arguments in it a message may stand for very different things
        return (record.name, record.levelno, said, str(record.args)[:200]), 1
    kind, _, trace = record.exc_info
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = (trace.tb_frame.f_code.co_filename, trace.tb_lineno) if trace else ()
    return (record.name, record.levelno, said, kind.__qualname__, place), 1


def _short(record: logging.LogRecord) -> logging.LogRecord:
    short = copy.copy(record)
    if record.exc_info and record.exc_info[0] is not None:
        fields = getattr(record, "ragapp_fields", {})
        short.exc_info = short.exc_text = None
        short.ragapp_fields = {**fields, "error": f"{record.exc_info[0].__name__}, as a line of the last minute has it"}
    return short


def _count(kind: _Kind) -> logging.LogRecord:
    count = copy.copy(kind.example)
    count.msg, count.args = f"{kind.kept_back} more in a minute: {kind.example.getMessage().partition(chr(10))[0]}", ()
    count.exc_info = count.exc_text = None
    count.created = time.time()
    count.ragapp_fields = {"repeated": kind.kept_back}
    return count
