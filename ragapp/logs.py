"""One log file below the data folder, a JSON object a line; the terminal belongs to answers and progress."""

from __future__ import annotations

import contextvars
import json
import logging
import logging.handlers
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ragapp.settings import Settings

_CHATTY = (
    "ragapp", "ingest", "vllm", "torch", "transformers", "sentence_transformers", "unstructured", "huggingface_hub",
    "qdrant_client", "langchain", "langchain_core", "httpx", "alembic", "py.warnings", "PIL",
    "charset_normalizer", "uvicorn", "opentelemetry", "mcp", "authlib",
)  # fmt: skip
_OURS = "ragapp-log"
"""Marks our handler among those that others added."""
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
        if own := request_id():
            line["request"] = own
        line |= getattr(record, "ragapp_fields", {})
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class _OffTheTerminal(logging.handlers.RotatingFileHandler):
    """A log that can't be written (full disk, no rights) must not write its own traceback between the answers."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Lose the line: whoever needs to write there says so in a better sentence."""


def log_path(settings: Settings) -> Path:
    """Where the log of this data folder is."""
    return settings.data / "logs" / "ragapp.log"


def open_log(settings: Settings) -> None:
    """Send our own and the libraries' messages to the log file, and Python's warnings too.

    A data folder that can't be written gets no log: reading and asking must still work, and whoever needs to write
    there says so in a better sentence.
    """
    try:
        log_path(settings).parent.mkdir(parents=True, exist_ok=True)
        handler: logging.Handler = _OffTheTerminal(
            log_path(settings),
            maxBytes=10_000_000,
            backupCount=3,
            encoding="utf-8",
            errors="backslashreplace",
            delay=True,
        )
    except OSError:
        handler = logging.NullHandler()
    handler.name = _OURS
    handler.setFormatter(_Lines())
    for name in _CHATTY:
        logger = logging.getLogger(name)
        for old in [h for h in logger.handlers if h.name == _OURS]:
            logger.removeHandler(old)
            old.close()
        logger.addHandler(handler)
        logger.propagate = False
        logger.setLevel(logging.INFO if name in ("ragapp", "ingest") else logging.WARNING)
    logging.captureWarnings(True)
