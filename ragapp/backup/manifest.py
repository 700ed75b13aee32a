"""What a backup says about itself: a head to refuse it by, and the hash of each part at its end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version

from ragapp.catalog.migrate import MIGRATIONS
from ragapp.errors import CatalogError

FORMAT = 1
HEAD = "ragapp-backup.json"
"""The first entry of a backup."""
MANIFEST = "manifest.json"
"""The last entry of a backup: SHA-256 of every other, by its path."""


@dataclass(frozen=True, slots=True)
class Head:
    """The first thing in a backup."""

    format: int
    ragapp: str
    catalog: str
    """The version of the catalog's tables."""
    made: str
    """RFC 3339, UTC."""
    index: str
    """"edge" where the index is in it, "server" where it is on a Qdrant server, which has snapshots of its own."""
    documents: int
    bytes: int
    """Of all parts together, unpacked."""
    missing: int = 0
    """Originals and texts that were lost already when it was made."""


def head(made: str, index: str, documents: int, size: int, missing: int) -> Head:
    """The head of a backup made now."""
    return Head(FORMAT, version("ragapp"), MIGRATIONS.head, made, index, documents, size, missing)


def packed(value: Head | Mapping[str, str]) -> bytes:
    """As it stands in the backup."""
    return json.dumps(asdict(value) if isinstance(value, Head) else dict(value), indent=1).encode()


def read_head(name: str, content: bytes) -> Head:
    """The head of a backup that this version can restore. Raises CatalogError for another file, or a newer backup."""
    try:
        kept = json.loads(content)
        if kept["format"] > FORMAT or kept["catalog"] not in MIGRATIONS.versions:
            raise CatalogError(
                f"{name} was made by a newer ragapp ({kept['ragapp']}, this is {version('ragapp')}); update ragapp, "
                "then restore it."
            )
        return Head(**{field: kept[field] for field in Head.__slots__})
    except (ValueError, KeyError, TypeError):
        raise CatalogError(f"{name} is no backup of ragapp, or damaged at its beginning; choose another.") from None
