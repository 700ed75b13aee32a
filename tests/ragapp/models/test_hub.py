"""Models from a hub, against a small hub of our own on this machine."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ragapp.errors import ModelError
from ragapp.models import hub, seal, weights

COMMIT = "1234567890" * 4
FILES = {
    "config.json": b'{"max_position_embeddings": 512}',
    "tokenizer.json": b"{}",
    "model.safetensors": bytes(range(256)) * 4000,
}


class _Hub(BaseHTTPRequestHandler):
    licence = "apache-2.0"
    break_after: int | None = None
    asked: list[tuple[str, str | None]] = []  # noqa: RUF012

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        type(self).asked.append((self.path, self.headers.get("Range")))
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        if self.path.startswith("/api/models/"):
            self._describe()
        elif (name := self.path.split(f"/resolve/{COMMIT}/")[-1]) in FILES:
            self._file(name, body)
        else:
            self.send_error(404)

    def _describe(self) -> None:
        if "/tree/" in self.path:
            files = [{"type": "file", "path": name, "size": len(held), "oid": name} for name, held in FILES.items()]
            self._send(json.dumps(files).encode(), {"Content-Type": "application/json"}, body=True)
            return
        if not self.path.startswith("/api/models/firm/model"):
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        siblings = [{"rfilename": name, "size": len(content)} for name, content in FILES.items()]
        told = {"id": "firm/model", "sha": COMMIT, "siblings": siblings, "cardData": {"license": type(self).licence}}
        self._send(json.dumps(told).encode(), {"Content-Type": "application/json"}, body=True)

    def _file(self, name: str, body: bool) -> None:
        content = FILES[name]
        begin = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
        headers = {
            "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
            "X-Repo-Commit": COMMIT,
            "Accept-Ranges": "bytes",
        }
        cut, type(self).break_after = (
            (type(self).break_after, None) if body and name == "model.safetensors" else (None, type(self).break_after)
        )
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        self._send(content[begin:], headers, body=body, status=206 if begin else 200, cut=cut)

    def _send(
        self, content: bytes, headers: dict[str, str], *, body: bool, status: int = 200, cut: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content[:cut])
        if cut:
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """The test's output is no place for it."""


@pytest.fixture
def hub_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    from huggingface_hub import constants

    _Hub.licence, _Hub.break_after, _Hub.asked = "apache-2.0", None, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    yield url
    server.shutdown()
    server.server_close()


@pytest.fixture
def to_our_hub(hub_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    look_up, download = hub.look_up, hub.download
    monkeypatch.setattr(hub, "look_up", lambda model, revision: look_up(model, revision, hub_url))
    monkeypatch.setattr(hub, "download", lambda model, offer, target, say: download(model, offer, target, say, hub_url))


def _resolve(models_dir: Path, **changed: Any) -> Path:
    wanted: dict[str, Any] = {"role": "chat", "models_dir": models_dir, "offline": False, "accepted_licences": ()}
    return weights.resolve("firm/model", **(wanted | changed))


@pytest.mark.usefixtures("to_our_hub")
class TestDownloads:
    def test_a_model_is_downloaded_sealed_and_then_used_offline(self, tmp_path: Path) -> None:
        said: list[str] = []
        folder = _resolve(tmp_path, say=said.append)
        assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]
        assert seal.whole(folder) and COMMIT[:12] in folder.name
        assert said[0].startswith("Downloading firm/model")
        _Hub.asked.clear()
        assert _resolve(tmp_path, offline=True) == folder
        assert _resolve(tmp_path) == folder
        assert _Hub.asked == []

    def test_the_first_commit_is_pinned_for_later(self, tmp_path: Path) -> None:
        _resolve(tmp_path)
        assert hub.pinned(tmp_path, "firm/model") == COMMIT

    def test_a_broken_download_goes_on_where_it_stopped(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from huggingface_hub import constants

        monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 50_000)
        _Hub.break_after = 500_000
        assert (_resolve(tmp_path) / "model.safetensors").read_bytes() == FILES["model.safetensors"]
        ranges = [asked for path, asked in _Hub.asked if path.endswith("model.safetensors")]
        assert len(ranges) == 2 and ranges[1] and not ranges[1].startswith("bytes=0-")

    def test_a_download_that_was_killed_is_never_used(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        target = hub.folder(tmp_path, "firm/model", COMMIT)
        with monkeypatch.context() as patch:
            patch.setattr(seal, "close", lambda *_, **__: pytest.fail("killed before the seal"))
            with pytest.raises(pytest.fail.Exception):
                _resolve(tmp_path)
        assert (target / "model.safetensors").is_file() and not seal.whole(target)
        with pytest.raises(ModelError, match="offline is true"):
            _resolve(tmp_path, offline=True)
        assert seal.whole(_resolve(tmp_path))

    def test_an_unknown_licence_must_be_accepted_first(self, tmp_path: Path) -> None:
        _Hub.licence = "llama3.1"
        with pytest.raises(ModelError, match=r"add llama3\.1 to accepted_licences"):
            _resolve(tmp_path)
        assert not list(tmp_path.glob("firm*"))
        assert _resolve(tmp_path, accepted_licences=("llama3.1",)).is_dir()

    def test_an_acceptance_taken_back_closes_the_model_again(self, tmp_path: Path) -> None:
        _Hub.licence = "llama3.1"
        _resolve(tmp_path, accepted_licences=("llama3.1",))
        with pytest.raises(ModelError, match="accepted_licences"):
            _resolve(tmp_path, offline=True)

    def test_damaged_weights_are_downloaded_again(self, tmp_path: Path) -> None:
        folder = _resolve(tmp_path)
        (folder / "model.safetensors").unlink()
        assert (_resolve(tmp_path) / "model.safetensors").is_file()

    def test_a_branch_means_what_it_meant_at_its_first_use(self, tmp_path: Path) -> None:
        folder = _resolve(tmp_path, revision="main")
        assert COMMIT[:12] in folder.name
        _Hub.asked.clear()
        assert _resolve(tmp_path, revision="main", offline=True) == folder
        assert _resolve(tmp_path, revision="main") == folder
        assert _Hub.asked == []
        assert hub.pinned(tmp_path, "firm/model") is None  # the newest was not asked for

    def test_what_is_missing_is_foretold_without_a_download(self, tmp_path: Path) -> None:
        def foretold(**changed: Any) -> str:
            given: dict[str, Any] = {"role": "chat", "models_dir": tmp_path, "accepted_licences": ()}
            return weights.foretold("firm/model", **(given | changed))

        assert foretold().endswith("to download at its first use")
        assert not list(tmp_path.glob("firm*"))
        _Hub.licence = "llama3.1"
        with pytest.raises(ModelError, match=r"add llama3\.1 to accepted_licences"):
            foretold()
        _Hub.licence = "apache-2.0"
        assert foretold() and str(_resolve(tmp_path)) in foretold()

    def test_no_such_model(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="The hub has no model firm/nothing"):
            weights.resolve("firm/nothing", role="chat", models_dir=tmp_path, offline=False, accepted_licences=())


def test_offline_never_asks_a_hub(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"firm/model is not on this machine and offline is true"):
        _resolve(tmp_path, offline=True)


def test_a_hub_that_can_t_be_reached_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(ModelError, match=r"could not be downloaded.*check the network") as caught:
        hub.look_up("firm/model", None, "http://127.0.0.1:9")
    assert "\n" not in str(caught.value)
