"""Hybrid retrieval finds at least what the better of its branches finds, on every source of the shared span set."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from ragapp import RagApp, Settings
from ragapp.access import LOCAL
from ragapp.retrieve import hybrid
from ragapp.retrieve.fuse import fuse

SHARED = Path(__file__).parents[4] / "shared"
SPANS = SHARED / "data" / "spans"
BUDGET = 4000
TOLERANCE = 0.01
"""A third of a question in a source: less is chance."""

pytestmark = pytest.mark.skipif(not (SPANS / "questions.jsonl").exists(), reason="the shared span set is not here")


def scorer() -> ModuleType:
    """The shared scorer's own functions."""
    spec = importlib.util.spec_from_file_location("span_recall", SHARED / "tools" / "span_recall.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def recall(search: Callable[[str], list[tuple[str, str]]]) -> dict[str, float]:
    """Mean recall in the first 4,000 characters, by source."""
    tool = scorer()
    by_source: dict[str, list[float]] = {}
    for line in (SPANS / "questions.jsonl").read_text().splitlines():
        row = json.loads(line)
        left, right = BUDGET, []
        for source, text in search(row["question"]):
            if Path(source).name == row["source"]:
                right.append(tool.words(text[:left]))
            left -= min(left, len(text))
        answers = [tool.words(span["text"]) for span in row["spans"]]
        found = sum(tool.covered(answer, right) * len(answer) for answer in answers)
        by_source.setdefault(row["source"], []).append(found / sum(map(len, answers)))
    return {source: sum(values) / len(values) for source, values in by_source.items()}


def test_hybrid_is_at_least_the_better_branch(
    tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RagApp(Settings(data=tmp_path), models_dir=models_dir) as app:
        app.ingest(*(path for path in SPANS.glob("*.md") if path.name != "README.md"))
        # each question is asked three times
        monkeypatch.setattr(app.embedder, "encode_query", cache(app.embedder.encode_query))

        def search(question: str) -> list[tuple[str, str]]:
            return [(p.source, p.text) for p in app.retrieval.search(question, LOCAL).passages]

        figures = {"hybrid": recall(search)}
        for branch, weight in (("dense", 1.0), ("bm25", 0.0)):
            monkeypatch.setattr(hybrid, "fuse", lambda hits, limit, weight=weight: fuse(hits, limit, weight))
            figures[branch] = recall(search)
    for source, value in figures["hybrid"].items():
        better = max(figures["dense"][source], figures["bm25"][source])
        assert value >= better - TOLERANCE, (source, figures)
