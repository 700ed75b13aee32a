"""The index on a Qdrant server: a real one where QDRANT_URL names it, else what qdrant-client does in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from qdrant_client import QdrantClient

from ragapp.index.server import ServerIndex

QDRANT_URL = os.environ.get("QDRANT_URL")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("qdrant") and not QDRANT_URL:
        pytest.skip("needs a Qdrant server in QDRANT_URL")


@contextmanager
def server_index(dimensions: int) -> Iterator[ServerIndex]:
    """A new index, and nothing left of it afterwards."""
    name = f"ragapp-test-{uuid4().hex[:8]}"
    index = ServerIndex(QdrantClient(url=QDRANT_URL) if QDRANT_URL else QdrantClient(":memory:"), name, dimensions)
    try:
        yield index
    finally:
        index.close()
        if QDRANT_URL:
            QdrantClient(url=QDRANT_URL).delete_collection(name)
