"""What only a server can do wrong, each in one sentence."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ragapp.errors import IndexUnavailable, StorageFull
from ragapp.index.server import open_server

pytestmark = pytest.mark.filterwarnings("ignore:Failed to obtain server version", "ignore:Api key is used with")


@pytest.fixture
def refusing() -> Iterator[HTTPServer]:
    """A server that answers every request as it is told."""

    class Answer(BaseHTTPRequestHandler):
        def answer(self) -> None:
            status, said = self.server.answer  # type: ignore[attr-defined]
            body = ('{"status":{"error":"' + said + '"},"time":0.0}').encode() if status >= 400 else said.encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_POST = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_no_server_is_one_sentence() -> None:
    with pytest.raises(IndexUnavailable, match=r"can't be reached \(.*\); start it, or check index\.url\.$"):
        open_server("http://127.0.0.1:9", None, "f00", 4)


@pytest.mark.parametrize(
    ("status", "said", "kind", "sentence"),
    [
        (403, "forbidden", IndexUnavailable, "403 .*forbidden.*; check index.api_key"),
        (500, "out of order", IndexUnavailable, "500 .*out of order.*; see the server's log"),
        (500, "No space left on device", StorageFull, "is full; free some"),
    ],
)
def test_a_refusal_says_what_to_do(
    refusing: HTTPServer, status: int, said: str, kind: type[Exception], sentence: str
) -> None:
    refusing.answer = (status, said)  # type: ignore[attr-defined]
    with pytest.raises(kind, match=sentence):
        open_server(f"http://127.0.0.1:{refusing.server_port}", "key", "f00", 4)


@pytest.mark.parametrize("version", ["1.18.4", "1.9.0", "0.11.7", "unknown", ""])
def test_a_server_that_counts_words_among_what_is_hidden_is_refused(refusing: HTTPServer, version: str) -> None:
    refusing.answer = (200, f'{{"title":"qdrant","version":"{version}"}}')  # type: ignore[attr-defined]
    with pytest.raises(IndexUnavailable, match=rf"is version '{version}', whose .* put version 1\.19 or newer"):
        open_server(f"http://127.0.0.1:{refusing.server_port}", None, "f00", 4)


@pytest.mark.parametrize("version", ["1.19.0", "1.20.3", "2.0.0-dev"])
def test_a_newer_one_is_asked_on(refusing: HTTPServer, version: str) -> None:
    refusing.answer = (200, f'{{"title":"qdrant","version":"{version}"}}')  # type: ignore[attr-defined]
    # what follows is no answer of a server's
    with pytest.raises(Exception) as failed:
        open_server(f"http://127.0.0.1:{refusing.server_port}", None, "f00", 4)
    assert "or newer" not in str(failed.value)
