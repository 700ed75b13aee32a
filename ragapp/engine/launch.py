"""Settings made into a running AsyncLLM: the environment, the arguments, and a readable reason when it fails."""

from __future__ import annotations

import json
import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ragapp.engine.lifeline import Tether, tethered_context
from ragapp.errors import EngineError, ModelError
from ragapp.models.memory import free_memory, weights_bytes
from ragapp.models.processor import cpu_dtype, waiting_asleep
from ragapp.settings import ChatSettings, EngineSettings

_NAMED_ERROR = re.compile(r"[\w.]*(Error|Exception|Interrupt)\b.*: \S")
_CUDA_ERROR = re.compile(r"CUDA error( \([^)]*\))?: \S.*")
"""What CUDA's own code prints before it ends a process, often behind a progress bar."""
_ECHOES = ("Engine core initialization failed", "WorkerProc initialization failed", "EngineDeadError", "cancelled")
"""Errors by which one vLLM process reports another's."""
_PREFIX = re.compile(r"^(\([^)]*\) )*((ERROR|WARNING|INFO|DEBUG|CRITICAL) [\d:. -]+\[[^\]]*\] ?)?")
_NEEDED = ("vllm.v1.engine.core", "vllm.v1.executor.uniproc_executor")
"""What the engine's process imports while this one imports vLLM too: half the time of a start."""
_SOCKETS = "VLLM_RPC_BASE_PATH"
"""The variable that names the folder of vLLM's sockets; it reads it anew for each."""
_RUNTIME_GIB = 2.0
"""What vLLM's processes take on a CPU beside weights and KV cache, measured (1.9 GiB)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an engine is started with. `embedder_peak_bytes`: the embedder's measured peak on the same GPU."""

    folder: Path
    engine: EngineSettings
    chat: ChatSettings
    embedder_peak_bytes: int = 0
    traces: str = ""
    """Where vLLM sends its spans (OTLP over HTTP); empty for nowhere."""
    cache: Path | None = None
    """Where vLLM keeps what makes its next start faster; None for its own place, in the home folder."""


def context_tokens(folder: Path, chat: ChatSettings) -> int:
    """The longest prompt and answer together: the setting, or the model's own limit where that is less."""
    limit = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("max_position_embeddings")
    return min(chat.context_tokens, int(limit)) if limit else chat.context_tokens


def launch(plan: Plan, tether: Tether, folder: Path, log: IO[bytes]) -> Any:
    """A started AsyncLLM, made on the running event loop; blocks until the model is loaded.

    Its sockets lie in `folder`, whose path must be short.
    """
    _check_memory(plan)
    _prepare_environment(plan)
    _send_messages_to(log)
    tether.prepare(_NEEDED if _has_gpu() else (*_NEEDED, "vllm.v1.worker.cpu_worker"), os.environ)
    with warnings.catch_warnings(), waiting_asleep():
        warnings.simplefilter("ignore")  # of libraries being imported: none is about what this program does
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.platforms import current_platform
        from vllm.usage.usage_lib import UsageContext
        from vllm.v1.engine import utils
        from vllm.v1.engine.async_llm import AsyncLLM

    on_cpu = current_platform.is_cpu()
    arguments = AsyncEngineArgs(**_arguments(plan, on_cpu=on_cpu))
    usual = utils.get_mp_context
    utils.get_mp_context = lambda: tethered_context(tether)
    try:
        with _environment_kept("LD_PRELOAD", _SOCKETS):
            os.environ.setdefault(_SOCKETS, str(folder))
            config = arguments.create_engine_config(UsageContext.ENGINE_CONTEXT)
            if on_cpu:
                # the worker in the engine core's own process: as many tokens a second, and one import of vLLM fewer
                config.parallel_config.distributed_executor_backend = "uni"
            return AsyncLLM.from_vllm_config(config)
    finally:
        utils.get_mp_context = usual


@contextmanager
def _environment_kept(*names: str) -> Iterator[None]:
    """Variables that are set for one start, by vLLM (its allocator) or for it, are afterwards as they were: other
    processes that this program starts are to be left alone."""
    before = {name: os.environ.get(name) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def _prepare_environment(plan: Plan) -> None:
    """What vLLM reads from the environment, here and in its processes; a person's own choice is kept."""
    for name, value in {
        "VLLM_CONFIGURE_LOGGING": "0",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_LOGGING_COLOR": "0",
        "DO_NOT_TRACK": "1",
        # without it vLLM leaves a core idle, and there may be only two
        "VLLM_CPU_NUM_OF_RESERVED_CPU": "0",
        "TOKENIZERS_PARALLELISM": "false",
        "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
        # on a GPU it is compiled at first use by a compiler that a machine need not have; vLLM's own sampler is not
        "VLLM_USE_FLASHINFER_SAMPLER": "0",
    }.items():
        os.environ.setdefault(name, value)
    if plan.cache:
        os.environ.setdefault("VLLM_CACHE_ROOT", str(plan.cache.absolute()))
        # torch makes its own as soon as vLLM is imported, in this process too
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(plan.cache.absolute() / "torchinductor"))


def _arguments(plan: Plan, *, on_cpu: bool) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "model": str(plan.folder),
        "dtype": plan.chat.dtype,
        "max_model_len": context_tokens(plan.folder, plan.chat),
        "max_num_seqs": plan.engine.max_parallel,
        "enable_prefix_caching": True,
        "enable_chunked_prefill": True,
        "generation_config": "vllm",
        # queue, tokens and caches stand in Prometheus' registry of this process
        "disable_log_stats": False,
        "enable_log_requests": False,
        "structured_outputs_config": {"backend": "xgrammar"},
    }
    if plan.traces:
        arguments["otlp_traces_endpoint"] = plan.traces
    if on_cpu:
        return arguments | {
            "dtype": cpu_dtype(plan.chat.dtype),
            "kv_cache_memory_bytes": int(plan.engine.kv_cache_gib * 2**30),
            # compiling takes 45 s at each start and gives a quarter more tokens a second (measured, SmolLM2-135M)
            "enforce_eager": True,
        }
    return arguments | {"gpu_memory_utilization": _gpu_share(plan)}


def _gpu_share(plan: Plan) -> float:
    """The share of the GPU that vLLM may use: the setting less what the embedder was seen to need."""
    import torch

    total: int = torch.cuda.mem_get_info()[1]
    share = plan.engine.gpu_memory_share - plan.embedder_peak_bytes / total
    weights = weights_bytes(plan.folder, plan.chat.dtype)
    if share * total < weights * 1.1:
        raise ModelError(
            f"The model in {plan.folder} needs {weights * 1.1 / 2**30:.1f} GiB of GPU memory, and "
            f"{share * total / 2**30:.1f} GiB are left of {total / 2**30:.1f} for it; choose a smaller model or raise "
            "engine.gpu_memory_share."
        )
    return float(share)


def _has_gpu() -> bool:
    """A guess without importing torch; vLLM decides."""
    return Path("/dev/nvidia0").exists()


def _check_memory(plan: Plan) -> None:
    """Refuse to start on a CPU what can't fit; a GPU's memory is looked at once vLLM says that there is one."""
    if _has_gpu():
        return
    weights = weights_bytes(plan.folder, cpu_dtype(plan.chat.dtype)) / 2**30
    needed = weights + plan.engine.kv_cache_gib + _RUNTIME_GIB
    free = free_memory()
    if free.gib < needed:
        raise ModelError(
            f"The model in {plan.folder} needs {needed:.1f} GiB of memory with its cache, and {free.gib:.1f} GiB are "
            f"free; {free.remedy}, lower engine.kv_cache_gib or choose a smaller model."
        )


def _send_messages_to(log: IO[bytes]) -> None:
    """vLLM's messages in this process go to the engine's log, unless the application sends them elsewhere."""
    logger = logging.getLogger("vllm")
    if not logger.handlers:
        handler = logging.StreamHandler(os.fdopen(os.dup(log.fileno()), "w", encoding="utf-8", errors="replace"))
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        logger.addHandler(handler)
        logger.propagate = False


def failed(error: BaseException, output: bytes, gave_up_after: float | None) -> EngineError:
    """Why an engine did not start, as one sentence; `output` is what its processes wrote since they were started."""
    if gave_up_after is not None:
        return EngineError(
            f"The engine did not start within {gave_up_after:g} s and was stopped; raise engine.start_timeout_s, or "
            "free the machine of other work."
        )
    return EngineError(f"The engine could not start ({_reason(output, error)}); mend that and ask again.")


def died(output: bytes) -> EngineError:
    """That a running engine is gone, as one sentence with the last thing it said."""
    said = _reason(output, None)
    return EngineError(f"The engine died{f' ({said})' if said else ''}; ask again, and it starts anew.")


def _reason(output: bytes, error: BaseException | None) -> str:
    """The line that says best why: the last error that the processes named, else our own error's text."""
    lines = [_PREFIX.sub("", line).strip() for line in output.decode("utf-8", "replace").splitlines()]
    named = [line for line in lines if _NAMED_ERROR.match(line) and not any(echo in line for echo in _ECHOES)]
    named = named or [found[0] for line in lines if (found := _CUDA_ERROR.search(line))]
    if not named and error is None:
        return ""
    said = named[-1] if named else f"{type(error).__name__}: {error}"
    return " ".join(said.split())[:300].rstrip(".")
