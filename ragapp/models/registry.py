"""The models that ragapp knows: where they come from, under which licence, and what they need (configs/models.yaml)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from ragapp.bundled import configs_folder
from ragapp.plain_yaml import plain_yaml

Role = Literal["chat", "embedder"]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One known model. `name` is what settings say: a hub id or `package:NAME`."""

    name: str
    role: Role
    licence: str
    """The hub's tag for the licence, which is also the name to put into accepted_licences."""
    source: str
    revision: str
    """The hub's commit, or the package's version."""
    context_tokens: int
    size_gib: float
    """GiB on disk, ready to load."""
    licence_url: str | None = None
    restricted: bool = False
    """Whether the licence restricts what one may do with the model."""
    folder: str | None = None
    """For a package: the folder of its files, below where Python packages lie."""
    files: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """File below `folder` → SHA-256."""


def cards() -> tuple[ModelCard, ...]:
    """All known models, the default profile's first."""
    return _read(configs_folder() / "models.yaml")


def card(name: str) -> ModelCard | None:
    """The model that settings call `name`, if it is a known one."""
    return next((card for card in cards() if card.name == name), None)


@lru_cache(maxsize=1)
def _read(path: Path) -> tuple[ModelCard, ...]:
    rows = plain_yaml(path.read_text(encoding="utf-8"))
    return tuple(ModelCard(**{**row, "files": MappingProxyType(row.get("files", {}))}) for row in rows)
