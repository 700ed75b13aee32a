"""The page's process beside the service: started with it, started again when it dies, ended with it."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from asyncio.subprocess import Process
from contextlib import suppress
from importlib.util import find_spec

from ragapp.errors import RagappError

_log = logging.getLogger(__name__)
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0
_LIVED_S = 60.0
"""A process that lived so long died of something new."""
_LAST_S = 5.0


class PageCare:
    """Keeps one page process alive. `run` is a task of the service's loop."""

    def __init__(self, service_url: str) -> None:
        """`service_url` is where the service listens. Raises RagappError where Streamlit is missing."""
        if find_spec("streamlit") is None:
            raise RagappError("The page needs Streamlit, which is not installed; run: pip install 'ragapp[ui]'")
        self._service_url = service_url
        self._port = _free_port()
        self.process: Process | None = None

    @property
    def url(self) -> str:
        """Where the page's process listens; the same after a restart."""
        return f"http://127.0.0.1:{self._port}"

    async def run(self) -> None:
        """Until cancelled."""
        wait_s = _FIRST_WAIT_S
        loop = asyncio.get_running_loop()
        try:
            while True:
                began = loop.time()
                try:
                    self.process = await self._start()
                    ended = f"ended ({await self.process.wait()})"
                except Exception:  # noqa: BLE001 - the machine may have room for a process later
                    _log.exception("the page's process could not be started")
                    ended = "could not be started"
                wait_s = _FIRST_WAIT_S if loop.time() - began > _LIVED_S else min(2 * wait_s, _LONGEST_WAIT_S)
                _log.warning("the page's process %s and is started again in %.1f s", ended, wait_s)
                await asyncio.sleep(wait_s)
        finally:
            await self._end()

    async def _start(self) -> Process:
        command = (
            sys.executable, "-P", "-m", "ui", "--service", self._service_url, "--host", "127.0.0.1",
            "--port", str(self._port), "--parent", str(os.getpid()),
        )  # fmt: skip
        # a session of its own: Ctrl-C is the service's to hear, which ends the page last
        return await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, start_new_session=True
        )

    async def _end(self) -> None:
        if self.process is None or self.process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), _LAST_S)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
