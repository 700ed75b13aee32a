"""How many connections fit beside what else a process keeps open, and how a limit that is too low is said."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ragapp.doctor import checks
from ragapp.open_files import RESERVE, needed, room
from ragapp.settings import ServeSettings, Settings

LOOK = """
import resource, sys
soft, hard, wanted = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
from ragapp.open_files import foretold, raised
told, made = foretold(wanted), raised(wanted)
assert told == made, (told, made)
print(made.connections, resource.getrlimit(resource.RLIMIT_NOFILE)[0], made.is_enough)
"""


@pytest.mark.parametrize(
    ("files", "connections"),
    [(needed(1000), 1000), (10**6, 1000), (1024, (1024 - RESERVE) // 2), (256, 16)],
)
def test_connections_get_what_the_rest_leaves(files: int, connections: int) -> None:
    assert room(1000, files).connections == connections


@pytest.mark.parametrize(
    ("soft", "hard", "expected"),
    [
        (1024, 20_000, f"1000 {needed(1000)} True"),
        (1024, 1024, f"{(1024 - RESERVE) // 2} 1024 False"),
        (8000, 20_000, "1000 8000 True"),
    ],
    ids=["raised as far as needed", "not allowed", "enough as it is"],
)
def test_a_process_raises_its_own_limit(soft: int, hard: int, expected: str) -> None:
    command = [sys.executable, "-c", LOOK, str(soft), str(hard), "1000"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == expected


def test_the_doctor_says_what_is_lacking(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.open_files(Settings(serve={"connections": 100})).state == "ok"
    monkeypatch.setattr("resource.getrlimit", lambda _: (1024, 1024))
    lacking = checks.open_files(Settings())
    assert lacking.state == "warning" and "room for 256 connections" in lacking.found
    assert "ulimit -n" in lacking.remedy and str(needed(ServeSettings().connections)) in lacking.remedy
