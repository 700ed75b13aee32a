"""Seconds from `make up` to the first answer in the page, as a browser sees it: in a fresh clone, and after a restart.

python -m benchmarks.up

The clone is of what is committed. What pip, uv and the browser keep in their caches is used as on any machine.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import Page, sync_playwright

from benchmarks.chromium import NONE, chromium

ROOT = Path(__file__).parent.parent
QUESTION = "How long is the warranty on Corvus pumps?"
PATIENCE_S = 900


def main() -> None:
    """Print a line for each step."""
    if not (program := chromium()):
        sys.exit(NONE)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        clone = Path(folder) / "ragapp"
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(1000 * PATIENCE_S)
        for what in ("from nothing", "again"):
            print(f"make up, {what}:")
            clock = Clock()
            with _up(clone) as url:
                clock.passed("the service listens")
                _watch(page, url, clock)
            clock.passed("stopped by Ctrl-C")
        browser.close()


class Clock:
    """Seconds since `make up`."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def passed(self, what: str) -> None:
        """Print a step that is behind us."""
        print(f"{time.monotonic() - self._began:6.1f} s  {what}", flush=True)


@contextmanager
def _up(clone: Path) -> Iterator[str]:
    """`make up` until the block ends; gives the service's address once it listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    own = {name: value for name, value in os.environ.items() if not name.startswith("RAGAPP_")}
    # a session of its own, so that the signal reaches make and all below it, as Ctrl-C in a terminal does
    with subprocess.Popen(["make", "up", f"ARGS=--port {port}"], cwd=clone, env=own, start_new_session=True) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            _until(lambda: _is_ok(f"{url}/health/live"), process)
            yield url
        finally:
            os.killpg(process.pid, signal.SIGINT)


def _watch(page: Page, url: str, clock: Clock) -> None:
    page.goto(f"{url}/app/")
    page.get_by_test_id("stChatInputTextArea").wait_for()
    clock.passed("the page is there to ask in")
    _until(lambda: not _reading(url))
    clock.passed("the example documents are read")
    box = page.get_by_test_id("stChatInputTextArea")
    box.fill(QUESTION)
    box.press("Enter")
    page.locator(".answer button.marker").first.wait_for()
    clock.passed("the first sentence of the answer, with its source")
    page.get_by_role("button", name="Answer this question again").wait_for()
    clock.passed("the answer is complete")
    print("\n" + page.locator(".answer .text").inner_text() + "\n")


def _reading(url: str) -> bool:
    jobs = httpx.get(f"{url}/v1/jobs", timeout=PATIENCE_S).json()
    return not jobs or any(job["state"] in ("waiting", "running") for job in jobs)


def _is_ok(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).is_success
    except httpx.HTTPError:
        return False


def _until(holds: Callable[[], bool], process: subprocess.Popen[bytes] | None = None) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        if process and process.poll() is not None:
            sys.exit(f"make up ended with exit code {process.returncode}; its reason stands above.")
        if time.monotonic() > end:
            sys.exit(f"It did not come about within {PATIENCE_S} seconds.")
        time.sleep(0.2)


if __name__ == "__main__":
    main()
