"""One log file below the data folder, in one format; the terminal belongs to answers and progress."""

from __future__ import annotations

import logging
import logging.handlers
from pathlib import Path

from ragapp.settings import Settings

_CHATTY = (
    "ragapp", "ingest", "vllm", "torch", "transformers", "sentence_transformers", "unstructured", "huggingface_hub",
    "qdrant_client", "langchain", "langchain_core", "httpx", "alembic", "py.warnings", "PIL",
    "charset_normalizer",
)  # fmt: skip
_OURS = "ragapp-log"
"""Marks our handler among those that others added."""
_FORMAT = "%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"


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
    handler.setFormatter(logging.Formatter(_FORMAT))
    for name in _CHATTY:
        logger = logging.getLogger(name)
        for old in [h for h in logger.handlers if h.name == _OURS]:
            logger.removeHandler(old)
            old.close()
        logger.addHandler(handler)
        logger.propagate = False
        logger.setLevel(logging.INFO if name in ("ragapp", "ingest") else logging.WARNING)
    logging.captureWarnings(True)
