"""Which index the settings mean: a Qdrant server where one is named, else the embedded one."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ragapp.index.base import Index
from ragapp.secret_file import read_secret
from ragapp.settings import Settings
from ragapp.variables import QDRANT


def open_index(settings: Settings, fingerprint: str, dimensions: int) -> Index:
    """The index of one embedding model, made when it isn't there. Raises IndexLocked or IndexUnavailable."""
    if url := server_url(settings):
        from ragapp.index.server import open_server

        return open_server(url, _api_key(settings), fingerprint, dimensions)
    from ragapp.index.edge import open_edge

    return open_edge(settings.data, fingerprint, dimensions)


def server_url(settings: Settings, environment: Mapping[str, str] = os.environ) -> str | None:
    """The Qdrant server's address: the setting, else QDRANT_URL."""
    return settings.index.url or environment.get(QDRANT["index.url"]) or None


def reach(settings: Settings) -> None:
    """Ask the Qdrant server, where one is named, whether it is there. Raises IndexUnavailable."""
    if url := server_url(settings):
        from ragapp.index.server import reach_server

        reach_server(url, _api_key(settings))


def describe(settings: Settings) -> str:
    """Where the index is, in words; opens nothing."""
    if url := server_url(settings):
        return f"a Qdrant server at {url}"
    folder = settings.data / "index"
    names = sorted(path.name for path in folder.glob("ragapp-*") if path.is_dir())
    return f"Qdrant Edge in {folder}: {', '.join(names)}" if names else f"Qdrant Edge in {folder}, not made yet"


def _api_key(settings: Settings, environment: Mapping[str, str] = os.environ) -> str | None:
    if settings.index.api_key:
        return settings.index.api_key.get_secret_value()
    if settings.index.api_key_file:
        return read_secret(settings.index.api_key_file, "index.api_key_file")
    return environment.get(QDRANT["index.api_key"]) or None
