"""Models from a hub: looked up, downloaded with progress and resumed, at a commit that is pinned from then on."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragapp.errors import ModelError
from ragapp.models import seal

PERMISSIVE = frozenset(
    {"apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "isc", "cc0-1.0", "unlicense", "cc-by-4.0"}
)
"""The hub's tags of licences that leave the use of a model free."""
_WANTED = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", "*.tiktoken"]
_UNWANTED = ["original/*", "onnx/*", "openvino/*", "consolidated*"]
_PROGRESS_S = 5.0


@dataclass(frozen=True, slots=True)
class Offer:
    """What the hub has of a model at one commit."""

    commit: str
    licence: str
    size_gib: float
    """GiB of the files that are downloaded."""


def folder(models_dir: Path, model: str, commit: str) -> Path:
    return models_dir / f"{model.replace('/', '--')}-{commit[:12]}"


def look_up(model: str, revision: str | None, endpoint: str | None = None) -> Offer:
    """Ask the hub for the commit that `revision` (its newest, when None) stands for, its licence and its size."""
    from fnmatch import fnmatch

    from huggingface_hub import HfApi

    with _explained(model):
        found = HfApi(endpoint=endpoint).model_info(model, revision=revision, files_metadata=True)
    card: Any = found.card_data or {}
    files = [
        file
        for file in found.siblings or []
        if any(fnmatch(file.rfilename, pattern) for pattern in _WANTED)
        and not any(fnmatch(file.rfilename, pattern) for pattern in _UNWANTED)
    ]
    if not found.sha or not any(file.rfilename.endswith(".safetensors") for file in files):
        raise ModelError(f"{model} has no safetensors weights on its hub; name another model.")
    licence = str(card.get("license_name") or card.get("license") or "")
    if str(card.get("license")) != "other":
        licence = str(card.get("license") or "")
    return Offer(found.sha, licence, sum(file.size or 0 for file in files) / 2**30)


def download(model: str, offer: Offer, target: Path, say: Callable[[str], None], endpoint: str | None = None) -> None:
    """Bring the model's files into `target` and seal it; what an earlier, interrupted download brought is kept."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    say(f"Downloading {model} ({offer.size_gib:.2f} GiB) into {target}.")
    with _explained(model), _progress(model, offer, target, say):
        snapshot_download(
            model,
            revision=offer.commit,
            local_dir=target,
            allow_patterns=_WANTED,
            ignore_patterns=_UNWANTED,
            endpoint=endpoint,
        )
    seal.close(target, licence=offer.licence, commit=offer.commit, model=model)


def pinned(models_dir: Path, model: str) -> str | None:
    """The commit of a model that was first used without one being named."""
    return _pins(models_dir).get(model)


def pin(models_dir: Path, model: str, commit: str) -> None:
    """Keep to this commit from now on."""
    pins = _pins(models_dir) | {model: commit}
    draft = models_dir / "pins.json.tmp"
    draft.write_text(json.dumps(pins, indent=1), encoding="utf-8")
    draft.replace(models_dir / "pins.json")


def _pins(models_dir: Path) -> dict[str, str]:
    try:
        pins = json.loads((models_dir / "pins.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return pins if isinstance(pins, dict) else {}


@contextmanager
def _progress(model: str, offer: Offer, target: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Say every few seconds how much has arrived, by what lies in the folder."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_PROGRESS_S):
            say(f"Downloading {model}: {seal.gib(target):.2f} of {offer.size_gib:.2f} GiB.")

    watcher = threading.Thread(target=watch, name="ragapp-download", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


@contextmanager
def _explained(model: str) -> Iterator[None]:
    """The hub client's errors as one sentence each."""
    import httpx
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    try:
        yield
    except HFValidationError:
        raise ModelError(
            f"{model} is no name that a model on a hub can have; check it, or name a folder that is there."
        ) from None
    except OfflineModeIsEnabled:
        raise ModelError(
            f"{model} can't be downloaded, since HF_HUB_OFFLINE is set; unset it, or name a folder."
        ) from None
    except GatedRepoError:
        raise ModelError(
            f"{model} is only given to those who accepted its terms on https://huggingface.co/{model}; "
            "do so, and set HF_TOKEN."
        ) from None
    except RepositoryNotFoundError:
        raise ModelError(f"The hub has no model {model} at that revision; check the name, or set HF_TOKEN.") from None
    except (HfHubHTTPError, httpx.HTTPError, ConnectionError, TimeoutError) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ModelError(
            f"{model} could not be downloaded ({reason}); check the network and run again: it goes on where it stopped."
        ) from None
