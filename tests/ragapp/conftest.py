"""The example firm's documents, ingested once for the session, with the session's one engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ragapp import RagApp, Settings
from ragapp.engine.vllm import VllmEngine

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory, models_dir: Path, resting_engine: VllmEngine) -> Iterator[RagApp]:
    """A RagApp over the example documents. The engine starts with the first test that asks something."""
    settings = Settings(data=tmp_path_factory.mktemp("examples"))
    with RagApp(settings, models_dir=models_dir, engine=resting_engine) as app:
        report = app.ingest(EXAMPLES / "documents")
        assert not report.failed
        yield app


@pytest.fixture
def fresh(tmp_path: Path, models_dir: Path, resting_engine: VllmEngine) -> Iterator[RagApp]:
    """A RagApp with nothing in it."""
    with RagApp(Settings(data=tmp_path / "data"), models_dir=models_dir, engine=resting_engine) as app:
        yield app
