"""Hostile and broken files: each is honest text, a container, or one reason, and none costs more than its limits."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest

HERE = Path(__file__).parent / "hostile"
ROOT = Path(__file__).parents[2]
SET = run_path(str(HERE / "make_hostile.py"))
SECONDS, MEBIBYTES = 10, 3072
SECONDS_IF_HEAVY = 2
"""Those may be stopped."""
WHAT_MAY_COME = {
    "good": {"text"},
    "text": {"text"},
    "reason": {"reason"},
    "either": {"text", "reason"},
    "heavy": {"text", "reason", "stopped"},
    "container": {"opened"},
    "bomb": {"reason"},
    "no file": {"reason", "text"},
}
"""What a file by itself may come to; links are followed here, where a walk over a folder leaves them out."""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[tuple[Any, dict[str, Any]]]]:
    folder = tmp_path_factory.mktemp("hostile")
    made = SET["make_hostile"](folder)
    given = [f"{SECONDS_IF_HEAVY if each.expected == 'heavy' else SECONDS}:{each.path}" for each in made]
    command = [sys.executable, str(HERE / "try_hostile.py"), str(MEBIBYTES), *given]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    yield list(zip(made, map(json.loads, done.stdout.splitlines()), strict=True))
    for hostile in made:
        hostile.path.unlink(missing_ok=True)


@pytest.mark.timeout(1200)
def test_there_are_enough_of_them(outcomes: list[tuple[Any, dict[str, Any]]]) -> None:
    assert sum(hostile.expected != "good" for hostile, _ in outcomes) >= 60
    assert sum(hostile.expected == "good" for hostile, _ in outcomes) == 5


def test_each_comes_to_what_is_expected(outcomes: list[tuple[Any, dict[str, Any]]]) -> None:
    wrong = [
        (ascii(hostile.path.name), hostile.expected, found["came"], found.get("said", "")[:100])
        for hostile, found in outcomes
        if found["came"] not in WHAT_MAY_COME[hostile.expected]
    ]
    assert not wrong


def test_reasons_are_one_line_and_name_no_path(outcomes: list[tuple[Any, dict[str, Any]]]) -> None:
    for hostile, found in outcomes:
        for reason in [*([found["said"]] if found["came"] == "reason" else []), *found.get("refused", [])]:
            assert reason and "\n" not in reason and len(reason) < 300 and str(hostile.path.parent) not in reason


def test_good_files_are_read_among_them(outcomes: list[tuple[Any, dict[str, Any]]]) -> None:
    text = " ".join(found["said"] for hostile, found in outcomes if hostile.expected == "good")
    assert all(word in text for word in SET["GOOD_WORDS"])


def test_nothing_from_elsewhere_is_read(outcomes: list[tuple[Any, dict[str, Any]]]) -> None:
    followed = [h.path.name for h, found in outcomes if found.get("passwd") and h.path.name != "passwd.txt"]
    assert not followed


def test_no_container_fills_the_disk(outcomes: list[tuple[Any, dict[str, Any]]]) -> None:
    for hostile, found in outcomes:
        assert found.get("bytes", 0) <= 256 << 20, hostile.path.name
        assert all("!/" not in name and ".." not in name.split("/") for name in found.get("members", []))
