"""Which key a Qdrant server is asked with: the setting's, else the file's, else QDRANT_API_KEY's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from ragapp.errors import IndexUnavailable, SettingsError
from ragapp.index.open import open_index
from ragapp.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore:Failed to obtain server version", "ignore:Api key is used with")


class _Doorkeeper(HTTPServer):
    """Refuses everybody, and keeps the keys that they came with."""

    keys: list[str | None]


@pytest.fixture
def doorkeeper() -> Iterator[_Doorkeeper]:
    class Refuse(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.server.keys.append(self.headers.get("api-key"))  # type: ignore[attr-defined]
            self.send_response(403)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    server = _Doorkeeper(("127.0.0.1", 0), Refuse)
    server.keys = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def _key_shown(doorkeeper: _Doorkeeper, folder: Path, **index: Any) -> str | None:
    url = f"http://127.0.0.1:{doorkeeper.server_address[1]}"
    with pytest.raises(IndexUnavailable, match=r"check index\.api_key"):
        open_index(Settings(data=folder, index={"url": url, **index}), "f00", 4)
    [shown] = set(doorkeeper.keys)
    return shown


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QDRANT_API_KEY", "from the environment")
    file = tmp_path / "key"
    file.write_text("from-the-file\n")
    return file


def test_the_setting_is_the_first(doorkeeper: _Doorkeeper, key_file: Path, tmp_path: Path) -> None:
    shown = _key_shown(doorkeeper, tmp_path, api_key="from-the-setting", api_key_file=key_file)
    assert shown == "from-the-setting"


def test_then_the_file(doorkeeper: _Doorkeeper, key_file: Path, tmp_path: Path) -> None:
    assert _key_shown(doorkeeper, tmp_path, api_key_file=key_file) == "from-the-file"


def test_then_qdrants_own_variable(doorkeeper: _Doorkeeper, key_file: Path, tmp_path: Path) -> None:
    assert _key_shown(doorkeeper, tmp_path) == "from the environment"


def test_a_file_that_is_not_there_doesnt_fall_back(doorkeeper: _Doorkeeper, key_file: Path, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, index={"url": "http://127.0.0.1:9", "api_key_file": tmp_path / "missing"})
    with pytest.raises(SettingsError, match=r"missing of index\.api_key_file can't be read"):
        open_index(settings, "f00", 4)
    assert doorkeeper.keys == []
