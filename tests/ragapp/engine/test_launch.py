"""Why an engine did not start, in one sentence, from what its processes printed."""

from __future__ import annotations

import pytest

from ragapp.engine.launch import failed

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
