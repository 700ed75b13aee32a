"""The compose file's health checks, run as they stand there against what they are to judge."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ragapp import RagApp, Settings
from ragapp.engine.vllm import VllmEngine

from ..ragapp.serve.conftest import running, wait_until
from .composed import ROOT, services

WITHIN_S = 15


def check(name: str, port: int) -> int:
    """The exit status of a service's health check, asked of another port of this machine."""
    command = services()[name]["healthcheck"]["test"][1:]
    own = {"service": "8400", "page": "8501", "qdrant": "6333"}[name]
    command = [word.replace(own, str(port)).replace("/app/configs/", f"{ROOT}/configs/") for word in command]
    command[0] = sys.executable if command[0] == "python" else command[0]
    environment = {"PATH": "/usr/bin:/bin", "http_proxy": "http://127.0.0.1:9"}
    return subprocess.run(command, env=environment, capture_output=True, timeout=WITHIN_S, check=False).returncode


@contextmanager
def answering(status: int, path: str) -> Iterator[int]:
    """The port of a server that answers one path so, and every other with 404."""

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(status if self.path == path else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def nobody() -> int:
    """A port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of somebody who takes calls and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as opened:
        yield opened.getsockname()[1]


def test_the_service_and_its_page_are_well_once_they_answer(
    tmp_path: Path, models_dir: Path, resting_engine: VllmEngine
) -> None:
    with (
        RagApp(Settings(data=tmp_path), models_dir=models_dir, engine=resting_engine) as rag,
        running(rag, engine=False, page=True) as service,
    ):
        # nothing is loaded, and it is well all the same
        wait_until(lambda: check("service", int(service.url.rpartition(":")[2])) == 0)
        care = service.house.page_care
        assert care
        wait_until(lambda: check("page", int(care.url.rpartition(":")[2])) == 0)


@pytest.mark.parametrize(
    ("name", "path"), [("service", "/health/live"), ("page", "/app/_stcore/health"), ("qdrant", "/readyz")]
)
class TestEach:
    def test_it_is_well(self, name: str, path: str) -> None:
        with answering(200, path) as port:
            assert check(name, port) == 0

    def test_it_answers_with_something_else(self, name: str, path: str) -> None:
        with answering(503, path) as port:
            assert check(name, port) == 1

    def test_nobody_is_there(self, name: str, path: str, nobody: int) -> None:
        assert check(name, nobody) == 1

    def test_it_hangs(self, name: str, path: str, silent: int) -> None:
        assert check(name, silent) != 0


def test_both_services_and_both_pages_are_asked_the_same() -> None:
    for name in ("service", "page"):
        assert services()[name]["healthcheck"] == services()[f"{name}-cpu"]["healthcheck"]
