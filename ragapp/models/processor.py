"""What this machine's processor can do that decides how fast a model runs on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")


def processor_flags() -> frozenset[str]:
    """What an x86 processor says it can do, by Linux's names; empty for others."""
    try:
        lines = _CPUINFO.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), ()))


def cpu_dtype(asked: str) -> str:
    """The number format that a CPU is to run a model in. "auto" is the fastest: bfloat16 where it is multiplied in
    hardware, else float32, which is then eight times as fast."""
    if asked != "auto":
        return asked
    return "bfloat16" if processor_flags() & {"amx_bf16", "avx512_bf16"} else "float32"


@contextmanager
def waiting_asleep() -> Iterator[None]:
    """For the first import of torch: its threads then sleep while they wait for one another, where they would keep
    their cores busy. What runs beside them (readers of files, the engine) gets those; a person's own choice is kept.

    The OpenMP library reads the variable once, when it is loaded. Processes that are started later are to be left
    alone, so it is taken back.
    """
    variable = "OMP_WAIT_POLICY"
    if variable in os.environ:
        yield
        return
    os.environ[variable] = "passive"
    try:
        yield
    finally:
        os.environ.pop(variable, None)
