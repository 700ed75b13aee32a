"""Why an engine did not start, in one sentence, from what its processes printed; and what it starts with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ragapp.engine import launch
from ragapp.engine.launch import Plan, failed
from ragapp.settings import ChatSettings, EngineSettings

GENERAL = RuntimeError("Engine core initialization failed. See root cause above. Failed core proc(s): {}")


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        (
            "(EngineCore pid=7) ERROR 11-26 11:43:01 [core.py:1194] Traceback (most recent call last):\n"
            "(EngineCore pid=7) ERROR 11-26 11:43:01 [core.py:9] ModuleNotFoundError: No module named 'torchvision'\n"
            "RuntimeError: Engine core initialization failed. See root cause above.\n",
            "ModuleNotFoundError: No module named 'torchvision'",
        ),
        (
            "\rCapturing CUDA graphs (PIECEWISE):   0%|          | 0/7 [00:00<?, ?it/s]"
            "CUDA error (/workspace/hopper/launch.h:200): device kernel image is invalid\n",
            "CUDA error (/workspace/hopper/launch.h:200): device kernel image is invalid",
        ),
        ("nothing that names an error\n", f"RuntimeError: {GENERAL}".rstrip(".")),
    ],
    ids=["a Python error", "CUDA's own words behind a progress bar", "nothing but the exception"],
)
def test_the_reason_is_the_first_cause_that_was_named(printed: str, reason: str) -> None:
    assert str(failed(GENERAL, printed.encode(), None)) == (
        f"The engine could not start ({reason}); mend that and ask again."
    )


def test_a_start_that_was_given_up_says_how_to_wait_longer() -> None:
    said = str(failed(GENERAL, b"", 600.0))
    assert "within 600 s" in said
    assert "engine.start_timeout_s" in said


def test_what_vllm_keeps_lies_in_the_cache_unless_a_person_said_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"TORCHINDUCTOR_CACHE_DIR": "/elsewhere"})
    launch._prepare_environment(Plan(Path("model"), EngineSettings(), ChatSettings(), cache=Path("/data/vllm")))
    assert os.environ["VLLM_CACHE_ROOT"] == "/data/vllm"
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == "/elsewhere"


def test_variables_of_one_start_are_afterwards_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"HAD": "before"})
    with pytest.raises(KeyError), launch._environment_kept("HAD", "HAD_NOT"):
        os.environ.update(HAD="other", HAD_NOT="now")
        raise KeyError
    assert os.environ == {"HAD": "before"}
