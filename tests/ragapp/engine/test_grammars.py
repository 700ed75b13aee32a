"""What is within all bounds and still too costly ends in a process of its own, which is killed alone."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ragapp.engine import grammarworker
from ragapp.engine.grammars import Grammars
from ragapp.engine.sampling import Sampling
from ragapp.errors import EngineError, TooCostly

PERSON = {"type": "object", "properties": {"name": {"type": "string", "maxLength": 30}}, "required": ["name"]}


def wanting(schema: dict[str, Any]) -> Sampling:
    return Sampling(20, json_schema=schema)


def costly(mark: int = 0) -> dict[str, Any]:
    """Within all bounds, and half a minute's work for the compiler: texts with lengths of their own."""
    texts = {f"t{n}": {"type": "string", "maxLength": 60 + n + mark} for n in range(40)}
    return {"type": "object", "properties": texts, "required": list(texts)}


@pytest.fixture(scope="module")
def grammars(chat_folder: Path) -> Iterator[Grammars]:
    made = Grammars(chat_folder, 2)
    yield made
    made.close()


def test_a_schema_comes_back_as_its_grammar(grammars: Grammars) -> None:
    passed = grammars.passed(wanting(PERSON))
    assert passed.json_schema is None and passed.grammar
    assert '": "' in passed.grammar, "one space after each colon and none before"


def test_one_that_comes_again_costs_nothing(grammars: Grammars) -> None:
    first = grammars.passed(wanting(PERSON))
    before = grammars.compiled
    assert grammars.passed(wanting(dict(PERSON))) == first
    assert grammars.compiled == before


def test_what_cant_be_kept_to_is_said_and_the_process_goes_on(grammars: Grammars) -> None:
    grammars.passed(wanting(PERSON))
    process = grammars._worker
    for wrong in (wanting({"type": "wat"}), Sampling(20, regex="(["), Sampling(20, structural_tag="{}")):
        with pytest.raises(ValueError, match="can't be kept to"):
            grammars.passed(wrong)
    assert grammars._worker is process


def test_other_constraints_are_compiled_too_and_texts_of_our_own_are_not(grammars: Grammars) -> None:
    pattern = Sampling(20, regex="[a-z]{3,9}")
    assert grammars.passed(pattern) is pattern
    before = grammars.compiled
    for free in (Sampling(20), Sampling(20, choice=("a", "b"))):
        assert grammars.passed(free) is free
    assert grammars.compiled == before
    with pytest.raises(TooCostly, match="choices"):
        grammars.passed(Sampling(20, choice=("x" * (1 << 21),)))


def test_what_takes_too_much_computing_is_refused_by_the_settings_name_and_the_next_is_compiled(
    grammars: Grammars,
) -> None:
    for _ in range(2):
        with pytest.raises(TooCostly, match=r"more than 2 s of computing \(engine\.schema_timeout_s\)"):
            grammars.passed(wanting(costly()))
    once, process = grammars.compiled, grammars._worker
    with pytest.raises(TooCostly):
        grammars.passed(wanting(costly()))
    assert grammars.compiled == once, "what was refused is known, and costs nothing when it comes again"
    assert grammars.passed(wanting(PERSON | {"title": "another"})).grammar
    assert grammars._worker is process, "nothing had to be loaded again"


def test_what_needs_too_much_memory_is_refused(chat_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Swelling:
        def compile_grammar(self, _: str) -> None:
            raise MemoryError

    kind, said = grammarworker._answered(Swelling(), "json_schema", json.dumps(PERSON))
    assert kind == "swollen" and f"{grammarworker.ROOM_MIB} MiB" in said


def test_a_process_that_is_killed_costs_its_call_alone(grammars: Grammars) -> None:
    grammars.passed(wanting(PERSON))
    assert grammars._worker
    os.kill(grammars._worker.process.pid, 9)
    grammars._worker.process.wait()
    assert grammars.passed(wanting(PERSON | {"title": "after"})).grammar


def test_closing_ends_the_process_and_a_call_under_way(chat_folder: Path) -> None:
    made = Grammars(chat_folder, 60)
    made.passed(wanting(PERSON))
    assert made._worker
    pid, came = made._worker.process.pid, []

    def ask() -> None:
        try:
            made.passed(wanting(costly(1000)))
        except EngineError as error:
            came.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    while made.compiled < 2:
        pass
    assert made.passed(wanting(PERSON)).grammar, "what is known waits for nobody"
    assert asking.is_alive()
    made.close()
    asking.join(30)
    assert came and not Path(f"/proc/{pid}").exists()
    with pytest.raises(EngineError, match="was closed"):
        made.passed(wanting(PERSON | {"title": "later"}))
