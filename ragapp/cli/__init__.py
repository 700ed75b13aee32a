"""The command line: text to stdout, progress and notes to stderr; 0 did it, 1 did part, 2 could not."""

from __future__ import annotations

import atexit
import errno
import io
import os
import sys
from contextlib import suppress
from typing import NoReturn

from ragapp.answer.unseen import seen
from ragapp.errors import RagappError

_INTERRUPTED = 130
_READER_LEFT = 141
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def run() -> NoReturn:
    """The program `ragapp`: `main`, then out.

    Everything is closed by then, and an interpreter that has loaded torch takes seconds to take itself apart, in which
    somebody would wait for their terminal.
    """
    code = 0
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # None where whoever started it closed it
            # a terminal that isn't UTF-8 shows what it can't write as \u2026, and the command goes on
            stream.reconfigure(errors="backslashreplace")
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else bool(end.code)
    if code != _INTERRUPTED:  # else what is to run at exit may be waiting for the very thing that was interrupted
        with suppress(KeyboardInterrupt):
            atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is None:  # whoever started it closed it
            continue
        try:
            stream.flush()
        except BrokenPipeError:
            code = _READER_LEFT
        except OSError:
            code = code or 2
    os._exit(code)


def main() -> None:
    """Run the command line; every failure ends in one sentence on stderr."""
    try:
        # imported here, so that Ctrl-C while the commands load is answered like any other
        from ragapp.cli.commands import app

        app()
    except RagappError as error:
        _end(str(error), 2)
    except KeyboardInterrupt:
        _interrupted()
    except BrokenPipeError:
        _reader_left()
    except SystemExit as end:
        # typer has its own answers to Ctrl-C and to a closed pipe: silence, and 1 for the pipe
        if end.code == _INTERRUPTED:
            _interrupted()
        if isinstance(end.__context__, BrokenPipeError):
            _reader_left()
        raise
    except Exception as error:
        # what typer prints, such as help, is of no file
        if isinstance(error, OSError) and error.filename is None and error.errno in _FULL and _output_is_full():
            from ragapp.cli.options import can_not_take

            _end(can_not_take(error), 2)
        # the last door: a traceback would help no user, so the log keeps it
        import logging

        log = logging.getLogger("ragapp")
        log.addHandler(logging.NullHandler())  # where there is no log yet, it would go to the terminal
        log.exception("unexpected failure")
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        logged = any(not isinstance(handler, logging.NullHandler) for handler in log.handlers)
        _end(f"ragapp failed unexpectedly ({reason}){'; see the log' if logged else ''}.", 2)


def _interrupted() -> NoReturn:
    _end("Interrupted; what was finished before stays, and running it again goes on from there.", _INTERRUPTED)


def _output_is_full() -> bool:
    """Whether stdout takes nothing, not even the end of a line."""
    try:
        print(flush=True)  # noqa: T201 - asks, and says nothing
    except OSError as error:
        return error.errno in _FULL
    return False


def _reader_left() -> NoReturn:
    """The reader of our output has left: nobody is there to be told, and what is still buffered goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(_READER_LEFT)


def _end(sentence: str, code: int) -> NoReturn:
    with suppress(OSError):  # stderr may be what can't be written to
        print(seen(sentence), file=sys.stderr, flush=True)  # noqa: T201 - the command line's own voice
    sys.exit(code)
