"""ragapp models: what a model's licence is also where it is named by its folder or stands in no registry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ragapp.models import hub, seal

COMMIT = "093f9f388b31de276ce2de164bdc2081324b9767"


def sealed(folder: Path, licence: str, model: str) -> Path:
    """A folder as a download leaves it."""
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_text("weights")
    seal.close(folder, licence=licence, commit=COMMIT, model=model)
    return folder


def used(run: Callable[..., Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in run("models", "--json").json if row["used"]}


def test_a_folder_from_a_hub_shows_its_licence(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(sealed(tmp_path / "anywhere", "gemma", "google/gemma-3-4b-it"))
    monkeypatch.setenv("RAGAPP_CHAT__MODEL", folder)
    row = used(run)[folder]
    assert (row["role"], row["licence"], row["restricted"], row["accepted"]) == ("chat", "gemma", True, False)
    assert (row["source"], row["revision"]) == ("https://huggingface.co/google/gemma-3-4b-it", COMMIT)
    assert f"* {folder}  (chat, gemma, restricts use, commit {COMMIT[:12]})  {row['source']}\n" in run("models").out
    monkeypatch.setenv("RAGAPP_ACCEPTED_LICENCES", "gemma")
    assert used(run)[folder]["accepted"]


def test_a_downloaded_model_that_no_registry_has_shows_its_licence(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "data" / "models"
    sealed(hub.folder(models, "firm/model", COMMIT), "mit", "firm/model")
    monkeypatch.setenv("RAGAPP_EMBEDDER__MODEL", "firm/model")
    assert used(run)["firm/model"]["licence"] == "unknown"  # which commit is meant is not known before its first use
    hub.pin(models, "firm/model", COMMIT)
    row = used(run)["firm/model"]
    assert (row["role"], row["licence"], row["restricted"], row["accepted"]) == ("embedder", "mit", False, True)


def test_a_folder_that_says_nothing_stays_unknown(
    run: Callable[..., Any], chat_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAGAPP_CHAT__MODEL", str(chat_folder))
    assert used(run)[str(chat_folder)]["licence"] == "unknown"
    assert f"* {chat_folder}  (licence not known to ragapp: read it before you use it)\n" in run("models").out
