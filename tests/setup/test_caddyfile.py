"""TLS before the service, by Caddy itself where it is installed: what browsers say passes, what they claim doesn't."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

from .composed import ROOT, services

FILE = ROOT / "configs" / "compose" / "Caddyfile"
HOST = "localhost"


@pytest.fixture(scope="module")
def caddy() -> str:
    found = shutil.which("caddy")
    if not found:
        pytest.skip("Caddy is not installed (Debian, Ubuntu: apt-get install caddy)")
    return found


def environment(folder: Path, **variables: str) -> dict[str, str]:
    """What the compose file gives the proxy."""
    own = services(variables)["proxy"]["environment"]
    return {"PATH": os.environ["PATH"], "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)} | own


@pytest.mark.parametrize("tls", ["", "internal", "admin@ragapp.example"], ids=["public", "internal", "an address"])
@pytest.mark.parametrize("url", ["https://ragapp.example", "https://10.1.2.3", ""])
def test_what_can_stand_in_env_is_understood(caddy: str, tmp_path: Path, tls: str, url: str) -> None:
    done = subprocess.run(
        [caddy, "validate", "--config", FILE, "--adapter", "caddyfile"],
        env=environment(tmp_path, TLS=tls, PUBLIC_URL=url),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_nothing_can_change_it_while_it_runs(caddy: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [caddy, "adapt", "--config", FILE, "--adapter", "caddyfile"],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout)["admin"] == {"disabled": True}


def test_the_ports_in_it_are_the_published_ones() -> None:
    inside = [port.split(":")[1] for port in services()["proxy"]["ports"]]
    text = FILE.read_text(encoding="utf-8")
    assert [f"http_port {inside[0]}" in text, f"https_port {inside[1]}" in text] == [True, True]
    assert any(word.startswith("http://127.0.0.1:8081") for word in services()["proxy"]["healthcheck"]["test"])
    assert "http://127.0.0.1:8081" in text


class _Service(BaseHTTPRequestHandler):
    """Stands for the service: tells what it was asked with, and streams two events a second apart."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if self.path == "/events" else "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if self.path == "/events":
            self._piece("event: first\n\n")
            time.sleep(1)
            self._piece("event: last\n\n")
        else:
            self._piece("\n".join(f"{name.lower()}: {value}" for name, value in self.headers.items()))
        self._piece("")

    def _piece(self, text: str) -> None:
        self.wfile.write(f"{len(text):x}\r\n{text}\r\n".encode())
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture(scope="module")
def behind() -> Iterator[str]:
    """The address of what stands for the service."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


class Proxy:
    """A running Caddy, on other ports than the file's own."""

    def __init__(self, caddy: str, folder: Path, service: str) -> None:
        plain, self.port, health = (_free_port() for _ in range(3))
        text = FILE.read_text(encoding="utf-8")
        for own, other in (("8080", plain), ("8443", self.port), ("8081", health)):
            text = text.replace(own, str(other))
        (folder / "Caddyfile").write_text(text, encoding="utf-8")
        variables = environment(folder, PUBLIC_URL=f"https://{HOST}", TLS="internal") | {"SERVICE": service}
        command = [caddy, "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
        self.plain, self.health, self.root = plain, health, folder / "caddy/pki/authorities/local/root.crt"
        # no HOME: Caddy would put its root certificate into the stores of whoever runs the tests
        self.process = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @property
    def trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.root))

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=f"https://{HOST}:{self.port}", verify=self.trusting, timeout=20, trust_env=False)

    def answers(self) -> bool:
        try:
            with self.client() as client:
                return client.get("/").status_code > 0
        except (httpx.HTTPError, OSError):
            return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _run(caddy: str, folder: Path, service: str) -> Iterator[Proxy]:
    proxy = Proxy(caddy, folder, service)
    try:
        end = time.monotonic() + 30
        while not proxy.answers():
            assert time.monotonic() < end and proxy.process.poll() is None, "Caddy did not come up"
            time.sleep(0.1)
        yield proxy
    finally:
        proxy.process.terminate()
        proxy.process.wait(timeout=20)


@pytest.fixture(scope="module")
def proxy(caddy: str, tmp_path_factory: pytest.TempPathFactory, behind: str) -> Iterator[Proxy]:
    yield from _run(caddy, tmp_path_factory.mktemp("caddy"), behind)


class TestRunning:
    def test_its_certificate_is_one_of_its_own_where_that_is_said(self, proxy: Proxy) -> None:
        with proxy.client() as client:
            assert client.get("/").status_code == 200
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(f"https://{HOST}:{proxy.port}/", trust_env=False)

    def test_an_event_is_there_when_it_is_sent(self, proxy: Proxy) -> None:
        began, seen = time.monotonic(), {}
        with proxy.client() as client, client.stream("GET", "/events") as stream:
            for line in stream.iter_lines():
                seen.setdefault(line, time.monotonic() - began)
        assert seen["event: first"] < 0.9 < seen["event: last"]

    def test_the_service_hears_who_asks_and_how(self, proxy: Proxy) -> None:
        with proxy.client() as client:
            heard = dict(line.split(": ", 1) for line in client.get("/").text.splitlines())
        assert heard["x-forwarded-proto"] == "https"
        assert heard["x-forwarded-for"] in ("127.0.0.1", "::1")
        assert heard["host"] == f"{HOST}:{proxy.port}"

    def test_it_does_not_hear_what_a_visitor_claims_to_be(self, proxy: Proxy) -> None:
        claimed = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example"}
        with proxy.client() as client:
            heard = client.get("/", headers=claimed).text
        assert "6.6.6.6" not in heard
        assert "evil.example" not in heard
        assert "x-forwarded-proto: https" in heard

    def test_without_tls_one_is_sent_to_where_it_is(self, proxy: Proxy) -> None:
        sent = httpx.get(f"http://127.0.0.1:{proxy.plain}/app/?x=1", headers={"Host": HOST}, trust_env=False)
        # to the port that the compose file publishes, not to the one in here
        assert (sent.status_code, sent.headers["location"]) == (308, f"https://{HOST}/app/?x=1")

    def test_its_health_is_its_own(self, proxy: Proxy) -> None:
        assert httpx.get(f"http://127.0.0.1:{proxy.health}/", trust_env=False).status_code == 200


def test_the_pages_websocket_passes(caddy: str, tmp_path: Path) -> None:
    def echo(browser: ServerConnection) -> None:
        for message in browser:
            browser.send(message)

    with serve(echo, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for proxy in _run(caddy, tmp_path, f"127.0.0.1:{server.socket.getsockname()[1]}"):
            address = f"wss://{HOST}:{proxy.port}/app/_stcore/stream"
            with connect(address, ssl=proxy.trusting, proxy=None) as page:
                page.send(b"\x00" * 100_000)
                assert page.recv(timeout=10) == b"\x00" * 100_000
        server.shutdown()


def test_while_the_service_is_away_the_proxy_says_so(caddy: str, tmp_path: Path) -> None:
    for proxy in _run(caddy, tmp_path, f"127.0.0.1:{_free_port()}"):
        with proxy.client() as client:
            assert client.get("/").status_code == 502
