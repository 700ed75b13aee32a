"""What doctor finds where the machine itself is not well, and where its proof may write."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from ragapp.doctor import checks
from ragapp.doctor.offline import in_a_folder_of_its_own
from ragapp.index.open import server_url
from ragapp.models import processor
from ragapp.settings import ChatSettings, EmbedderSettings, IndexSettings, Settings


def alone_on_the_path(nvidia_smi: bytes, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one program that can be found is an nvidia-smi of these bytes."""
    program = folder / "nvidia-smi"
    program.write_bytes(nvidia_smi)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_a_driver_that_gives_no_answer_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone_on_the_path(b"\x00no program", tmp_path, monkeypatch)
    gpu = checks.gpu()
    assert (gpu.state, gpu.remedy) == ("warning", "mend the driver")


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
    gpu = checks.gpu()
    assert gpu.state == state
    assert "NVIDIA H200, 143771 MiB, 140000 MiB" + said in gpu.found
    assert remedy in gpu.remedy


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
