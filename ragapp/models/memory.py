"""Memory: how much is free for this process, and how much a model's weights take of it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WEIGHTS = ("*.safetensors", "*.bin", "*.pt")
"""Weights in a model's folder; the first pattern that finds some is what is loaded."""
_NO_WEIGHTS = frozenset({"training_args.bin", "optimizer.bin", "optimizer.pt", "scheduler.pt", "scaler.pt"})
"""What training leaves beside them under the same endings."""
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}
"""Bytes of a number, by safetensors' names and by torch's."""

_MEMBERSHIP = Path("/proc/self/cgroup")
_CGROUPS = Path("/sys/fs/cgroup")
_V2 = ("memory.max", "memory.current", ("inactive_file", "active_file"))
_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", ("total_inactive_file", "total_active_file"))
"""Of a cgroup: the files of its limit and its use, and what of that use are copies of files, by memory.stat's names."""


@dataclass(frozen=True, slots=True)
class FreeMemory:
    """What may still be taken, in GiB; `remedy` says how there could be more, as a part of a sentence."""

    gib: float
    remedy: str


def free_memory() -> FreeMemory:
    """What this process may still take: what the machine has left, or less where its container or service is held to
    a limit (a cgroup's, of its own or of one around it)."""
    import psutil

    machine = int(psutil.virtual_memory().available)
    held = min(_rooms(), default=machine)
    if held < machine:
        return FreeMemory(
            max(0, held) / 2**30, "raise the memory limit of the container or service that ragapp runs in"
        )
    return FreeMemory(machine / 2**30, "close other programs")


def _rooms() -> Iterator[int]:
    """Bytes that each limited cgroup around this process has left."""
    try:
        lines = _MEMBERSHIP.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return  # no Linux
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield from _rooms_around(_CGROUPS, path, *_V2)
        elif "memory" in controllers.split(","):
            yield from _rooms_around(_CGROUPS / "memory", path, *_V1)


def _rooms_around(root: Path, path: str, limit: str, used: str, files: Sequence[str]) -> Iterator[int]:
    # in a container the path may be the host's, of which only the root is seen here: the container's own cgroup
    own = root / path.lstrip("/")
    for group in (own, *own.parents):
        if not group.is_relative_to(root):
            return
        most, taken = _number(group / limit), _number(group / used)
        if most is not None and taken is not None:
            yield most - taken + _reclaimable(group / "memory.stat", files)


def _number(path: Path) -> int | None:
    """The number that a cgroup's file holds; None where there is no such file, or no limit ("max")."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _reclaimable(stat: Path, names: Sequence[str]) -> int:
    """Bytes that the kernel takes back when they are needed: copies of files, as it counts them in MemAvailable."""
    try:
        pairs = [line.split() for line in stat.read_text(encoding="ascii").splitlines()]
    except (OSError, ValueError):
        return 0
    return sum(int(value) for name, value in pairs if name in names)


def weight_files(folder: Path) -> list[Path]:
    """The files of a model's folder (not of those below it) that its weights are loaded from."""
    for pattern in WEIGHTS:
        if found := sorted(path for path in folder.glob(pattern) if path.name not in _NO_WEIGHTS):
            return found
    return []


def weights_bytes(folder: Path, dtype: str) -> int:
    """Bytes that the weights of a model's folder take in memory in the number format `dtype` ("auto": as stored)."""
    wanted = _BYTES.get(dtype)
    return sum(_widened(path, wanted) for path in weight_files(folder))


def _widened(path: Path, wanted: int | None) -> int:
    """Bytes of one file's tensors, each number `wanted` bytes wide; those that are no floats stay as they are."""
    size = path.stat().st_size
    if wanted is None:
        return size
    if path.suffix == ".safetensors" and (tensors := _tensors(path)) is not None:
        return sum(
            math.prod(tensor["shape"]) * wanted
            if tensor["dtype"] in _BYTES
            else tensor["data_offsets"][1] - tensor["data_offsets"][0]
            for tensor in tensors
        )
    return size * wanted // _BYTES.get(_stored(path.parent), wanted)


def _tensors(path: Path) -> list[dict[str, Any]] | None:
    """What a safetensors file's header says of each tensor; None where it can't be read, which its loader will say."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > path.stat().st_size:
            return None
        try:
            header = json.loads(file.read(length))
        except ValueError:
            return None
    tensors = [facts for name, facts in header.items() if name != "__metadata__"] if isinstance(header, dict) else []
    whole = all(isinstance(facts, dict) and facts.keys() >= {"dtype", "shape", "data_offsets"} for facts in tensors)
    return tensors if tensors and whole else None


def _stored(folder: Path) -> str:
    """The number format that weights are stored in, by the model's config.json; "" where it doesn't say."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(config.get("dtype") or config.get("torch_dtype") or "") if isinstance(config, dict) else ""
