"""The engine and the embedder on one GPU. CI has none; these run wherever nvidia-smi names one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ragapp import RagApp, Settings
from ragapp.engine.vllm import VllmEngine
from ragapp.errors import ModelError
from ragapp.settings import ChatSettings, EngineSettings

from .test_lifeline import _SCRIPT as GENERATES

MIB = 2**20
CONTEXT_MIB = 1200
"""What CUDA itself takes for two processes, their libraries' workspaces included."""


def _mib(field: str) -> list[int]:
    program = shutil.which("nvidia-smi")
    if not program:
        return []
    asked = [program, f"--query-gpu=memory.{field}", "--format=csv,noheader,nounits"]
    return [
        int(line) for line in subprocess.run(asked, capture_output=True, text=True).stdout.split() if line.isdigit()
    ]


pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(not _mib("total"), reason="no GPU here (nvidia-smi names none)"),
]


def _within(seconds: float, holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return True


def test_both_models_answer_from_one_gpu_and_keep_to_their_share(tmp_path: Path, models_dir: Path) -> None:
    before, total = _mib("used")[0], _mib("total")[0]
    settings = Settings(
        data=tmp_path / "data",
        embedder={"device": "cuda", "batch_tokens": 16384},
        engine={"gpu_memory_share": 0.5},
    )
    note = tmp_path / "warranty.md"
    note.write_text("# Warranty\n\nThe warranty on Corvus pumps is 36 months from delivery.\n")
    with RagApp(settings, models_dir=models_dir) as app:
        assert not app.ingest(note).failed
        answer = app.ask("How long is the warranty on Corvus pumps?")
        assert answer.status == "answered"
        assert "36 months" in answer.citations[0].quote
        peak = app.embedder.peak_bytes() // MIB
        assert peak > 80  # its weights at least
        assert _mib("used")[0] - before <= total * 0.5 + CONTEXT_MIB
    # the engine's is free again; what is left is this process's own
    assert _within(10, lambda: _mib("used")[0] - before < peak + CONTEXT_MIB)


def test_a_killed_parent_leaves_nothing_on_the_gpu(chat_folder: Path) -> None:
    before = _mib("used")[0]
    parent = subprocess.Popen([sys.executable, "-c", GENERATES, str(chat_folder)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    assert [parent.stdout.readline() for _ in range(2)][-1] == "token\n"
    assert _mib("used")[0] - before > 1000
    os.kill(parent.pid, signal.SIGKILL)
    assert _within(10, lambda: _mib("used")[0] - before < 100)


def test_a_share_too_small_for_the_model_is_said_before_it_is_loaded(chat_folder: Path) -> None:
    engine = VllmEngine(
        chat_folder, EngineSettings(gpu_memory_share=0.06), ChatSettings(), embedder_peak_bytes=_mib("total")[0] * MIB
    )
    with pytest.raises(ModelError, match=r"GiB of GPU memory.*raise engine\.gpu_memory_share"):
        engine.start()
