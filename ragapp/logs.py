"""One log file below the data folder, a JSON object a line; the terminal belongs to answers and progress.

As a library we are a guest in somebody's program: only our own loggers are turned away from where that program sends
its messages, and each is as it was once the last app is closed (`open_log`). A process of our own, the command line or
the service, has nobody else's messages, and all of them go to the log (`open_process_log`).
"""

from __future__ import annotations

import contextvars
import io
import json
import logging
import logging.handlers
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from ragapp.private import private_file, private_folder
from ragapp.repeated import Repeated
from ragapp.settings import Settings

_OURS = ("ragapp", "ingest")
_TURNED = (*_OURS, "vllm")
"""Ours, and the engine's, which only we start: what they say is no news to the program around us."""
_HEARD = (
    "torch", "transformers", "sentence_transformers", "unstructured", "huggingface_hub", "qdrant_client", "alembic",
)  # fmt: skip
"""What works for us, and may work for the program around us too: its warnings are in our log, and go on to where that
program sends them. Where it sends them nowhere, logging would print them on the terminal if nobody took them."""
_PROCESS = (
    "langchain", "langchain_core", "httpx", "uvicorn", "py.warnings", "PIL", "charset_normalizer", "opentelemetry",
    "mcp", "authlib", "asyncio", "websockets", "python_multipart",
)  # fmt: skip
"""Whose messages are those of the program around us, and ours only where the process is."""
_TEXT = {"question", "answer", "reason"}
"""The fields of a line that hold somebody's words."""
_REQUEST: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")


def request_id() -> str:
    """The id of the request that is being answered; empty outside one."""
    return _REQUEST.get()


@contextmanager
def within_request(own: str) -> Iterator[None]:
    """Whatever is logged in the block, also by tasks and threads that it starts through asyncio, carries this id."""
    token = _REQUEST.set(own)
    try:
        yield
    finally:
        _REQUEST.reset(token)


def beside(**said: Any) -> Mapping[str, Any]:
    """Figures and names beside a message, for `extra=` of a logger's call; each is a field of the line."""
    return {"ragapp_fields": said}


def at_most(most: int, *kind: str | int) -> Mapping[str, Any]:
    """That of lines of this kind so many are written in a minute and the rest are counted, for `extra=`. What is at
    least a warning is written once by itself."""
    return {"ragapp_kind": (kind, most)}


class _Lines(logging.Formatter):
    """A record as one line of JSON, whatever its message holds."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "process": record.process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields = getattr(record, "ragapp_fields", {})
        # what is counted was said in many requests
        if "repeated" not in fields and (own := request_id()):
            line["request"] = own
        line |= fields
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class _OffTheTerminal(logging.handlers.RotatingFileHandler):
    """A log that can't be written (full disk, no rights) must not write its own traceback between the answers; and one
    that could must not be filled by what is said again and again."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            path, maxBytes=10_000_000, backupCount=3, encoding="utf-8", errors="backslashreplace", delay=True
        )
        self._repeated = Repeated()

    def emit(self, record: logging.LogRecord) -> None:
        for shown in self._repeated.shown(record, bool(request_id())):
            super().emit(shown)

    def close(self) -> None:
        with suppress(OSError):
            for count in self._repeated.rest():
                super().emit(count)
        super().close()

    def _open(self) -> io.TextIOWrapper:
        stream = open(  # noqa: SIM115 - the handler closes it
            self.baseFilename, self.mode, encoding=self.encoding, errors=self.errors, opener=private_file
        )
        return cast("io.TextIOWrapper", stream)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Lose the line: whoever needs to write there says so in a better sentence."""


def log_path(settings: Settings) -> Path:
    """Where the log of this data folder is."""
    return settings.data / "logs" / "ragapp.log"


def open_log(settings: Settings) -> Log:
    """Send our messages, and warnings of the libraries that work for us, to the log file until it is closed.

    A data folder that can't be written gets no log: reading and asking must still work, and whoever needs to write
    there says so in a better sentence.

    A line does not say whose it is where several apps are open in one process. So it goes to the logs of all of them;
    or, as soon as one of them allows text (privacy.log_text), only to those that do. A question that one app writes
    down is so never in the folder of another that didn't allow it; while it is open, that other's log has nothing.
    """
    return _opened(settings, of_process=False)


def open_process_log(settings: Settings) -> Log:
    """Send every library's messages and Python's warnings to the log file, since the process is ours to its end.

    It outlives the apps, whose own logs are closed by the time a failure is written down. There is one: opening it
    anew closes the one before.
    """
    for earlier in [log for log in _open if log.of_process]:
        earlier.close()
    return _opened(settings, of_process=True)


@dataclass(frozen=True, eq=False, slots=True)
class Log:
    """An open log; `close()` puts every logger back as it was found, once no other log needs it. Twice is harmless."""

    path: Path
    file: logging.Handler
    with_text: bool
    of_process: bool

    def close(self) -> None:
        """Write no more."""
        with _lock:
            if self in _open:
                _open.remove(self)
                _arrange()
        self.file.close()


class _Sorter(logging.Handler):
    """Hands each record to the logs that it may go to: all of ours, and of others what is at least a warning."""

    logs: tuple[Log, ...] = ()
    alone = False
    """Whether nobody else is to have the records: the process is ours."""

    def emit(self, record: logging.LogRecord) -> None:
        if self.alone:
            _off_the_terminal(record.name.partition(".")[0])
        if record.levelno < logging.WARNING and record.name.partition(".")[0] not in _OURS:
            return
        text = not _TEXT.isdisjoint(getattr(record, "ragapp_fields", ()))
        for log in self.logs:
            # an app that allows text and was closed while it answered may still say so
            if log.with_text or not text:
                log.file.handle(record)


@dataclass(frozen=True, slots=True)
class _Found:
    """How a logger was before we took it."""

    propagate: bool
    level: int
    turned: bool
    """It was turned away from everybody else's handlers."""
    captures: bool
    """Python's warnings were not its messages before."""
    muted: list[logging.Handler] = field(default_factory=list)
    """Its handlers that wrote to the terminal of a process of our own."""


_lock = threading.RLock()
_open: list[Log] = []
_taken: dict[str, _Found] = {}
_sorter = _Sorter()


def _opened(settings: Settings, *, of_process: bool) -> Log:
    path = log_path(settings)
    try:
        private_folder(path.parent)
        path = path.resolve()
        file: logging.Handler = _OffTheTerminal(path)
    except OSError:
        file = logging.NullHandler()
    file.setFormatter(_Lines())
    log = Log(path, file, settings.privacy.log_text, of_process)
    with _lock:
        _open.append(log)
        _arrange()
    return log


def _arrange() -> None:
    """Take and give back loggers until all is as the open logs want it."""
    _sorter.logs = _takers(_open)
    wanted = dict.fromkeys(_TURNED, True) | dict.fromkeys(_HEARD, False) if _open else {}
    _sorter.alone = any(log.of_process for log in _open)
    if _sorter.alone:
        wanted = dict.fromkeys(_TURNED + _HEARD + _PROCESS, True)
    for name in [name for name, found in _taken.items() if wanted.get(name) != found.turned]:
        _give_back(name)
    for name in wanted.keys() - _taken.keys():
        _take(name, turned=wanted[name])


def _takers(logs: Sequence[Log]) -> tuple[Log, ...]:
    """Which logs have a line: the rule of `open_log`, and once in each file."""
    takers: dict[Path, Log] = {}
    for log in [log for log in logs if log.with_text] or logs:
        # the first that was opened: of two that have a file open, one goes on in the old file after a rollover
        takers.setdefault(log.path, log)
    return tuple(takers.values())


def _take(name: str, *, turned: bool) -> None:
    logger = logging.getLogger(name)
    captures = name == "py.warnings" and warnings.showwarning.__module__ != "logging"
    _taken[name] = _Found(logger.propagate, logger.level, turned, captures)
    logger.addHandler(_sorter)
    if captures:
        logging.captureWarnings(True)
    if turned:
        logger.propagate = False
    if name in _OURS:
        logger.setLevel(logging.INFO)


def _give_back(name: str) -> None:
    """As it was found; what somebody else has set since then stays."""
    logger, found = logging.getLogger(name), _taken.pop(name)
    logger.removeHandler(_sorter)
    if found.turned and not logger.propagate:
        logger.propagate = found.propagate
    if name in _OURS and logger.level == logging.INFO:
        logger.setLevel(found.level)
    if found.captures:
        logging.captureWarnings(False)
    for handler in found.muted:
        logger.addHandler(handler)


def _off_the_terminal(name: str) -> None:
    """Put aside what a library wrote to the terminal with. Some (transformers, huggingface_hub, torch) bring a handler
    of their own when they are imported, long after their loggers were taken, so it is looked for with each message."""
    if (found := _taken.get(name)) is None:
        return
    logger = logging.getLogger(name)
    for handler in [handler for handler in logger.handlers if type(handler) is logging.StreamHandler]:
        logger.removeHandler(handler)
        found.muted.append(handler)
