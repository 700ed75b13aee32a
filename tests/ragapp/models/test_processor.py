"""Which number format a processor runs fastest, told from what it says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragapp.models import processor


@pytest.mark.parametrize(
    ("said", "fastest"),
    [
        ("flags\t\t: fpu sse2 avx2\n", "float32"),
        ("flags\t\t: fpu avx2 avx512_bf16\n", "bfloat16"),
        ("flags\t\t: fpu amx_bf16 amx_tile\n", "bfloat16"),
        ("Features\t: fp asimd bf16\n", "float32"),
        ("", "float32"),
    ],
)
def test_bfloat16_only_where_it_is_multiplied_in_hardware(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, fastest: str
) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{said}\nprocessor\t: 1\n{said}")
    monkeypatch.setattr(processor, "_CPUINFO", tmp_path / "cpuinfo")
    assert processor.cpu_dtype("auto") == fastest
    assert processor.cpu_dtype("float16") == "float16"


def test_a_machine_that_says_nothing_gets_float32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "_CPUINFO", tmp_path / "none")
    assert processor.cpu_dtype("auto") == "float32"
