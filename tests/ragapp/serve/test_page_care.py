"""The page's process beside the service: where none can be started now, it is tried again."""

from __future__ import annotations

import asyncio
import logging
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process

import pytest

from ragapp.serve.page_care import PageCare

from .conftest import run_until


async def test_a_process_that_can_not_be_started_is_started_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ragapp.serve.page_care._FIRST_WAIT_S", 0)
    logging.getLogger("ragapp.serve.page_care").addHandler(caplog.handler)
    started = asyncio.Event()

    class Crowded(PageCare):
        """On a machine that has no room for a process at first."""

        tries = 0

        async def _start(self) -> Process:
            self.tries += 1
            if self.tries == 1:
                raise OSError("too many open files")
            try:
                return await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=PIPE, stderr=DEVNULL)
            finally:
                started.set()

    care = Crowded("http://127.0.0.1:1")
    await run_until(started, care.run())
    assert care.process and care.process.returncode is not None, "it ends with the service"
    assert "Traceback" in caplog.text and "too many open files" in caplog.text
