"""What every index can do, whichever engine carries it: Qdrant Edge in process, or a Qdrant server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ragapp.access import Scope

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SparseVector:
    """BM25 weights by token hash."""

    indices: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """One chunk as the index keeps it. `id` is the chunk's point id; `payload` follows ragapp.index.schema."""

    id: str
    dense: Vector
    """float32 (dimensions,), length 1."""
    sparse: SparseVector
    payload: Mapping[str, Any]


class Hit(NamedTuple):
    """One chunk that a branch found: its raw score there (cosine, or BM25) and its payload."""

    id: str
    score: float
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """What stands in the index about one chunk, as far as the catalog has a say in it."""

    id: str
    document_id: str
    revision: int
    ordinal: int
    source: str
    collection: str
    groups: frozenset[str]


INVENTORY_FIELDS = ["document_id", "revision", "ordinal", "source", "collection", "groups"]


def stored(id: str, payload: Mapping[str, Any]) -> Stored:
    """A point of the index as an inventory lists it; what isn't there, or is of another kind, reads as empty."""
    revision, ordinal = payload.get("revision"), payload.get("ordinal")
    return Stored(
        id,
        str(payload.get("document_id") or ""),
        revision if isinstance(revision, int) else -1,
        ordinal if isinstance(ordinal, int) else -1,
        str(payload.get("source") or ""),
        str(payload.get("collection") or ""),
        frozenset(payload.get("groups") or ()),
    )


@dataclass(frozen=True, slots=True)
class HybridHits:
    """What both branches of one query found, each best first."""

    dense: tuple[Hit, ...]
    bm25: tuple[Hit, ...]


class Index(Protocol):
    """One physical index of one embedding model. Every search carries a Scope; there is none without."""

    dimensions: int

    def upsert(self, points: Sequence[Point]) -> None:
        """Write points, replacing those of the same id. Durable only after flush()."""

    def flush(self) -> None:
        """Make everything written so far survive a power cut. Called before the catalog commits."""

    def hybrid(self, dense: Vector, sparse: SparseVector, scope: Scope, limit: int) -> HybridHits:
        """Both branches in one round trip, `limit` hits each, the scope's filter inside each branch.

        Scores are raw: cosine for dense, BM25 for sparse. They and the order rest on what the scope's groups see: a
        word is rare or not among these chunks, chunks of one score come by their ids (see ragapp.index.scoring).
        """

    def dense(self, vector: Vector, scope: Scope, limit: int, *, exact: bool = False) -> tuple[Hit, ...]:
        """Nearest chunks by cosine; `exact` skips the graph (for measuring recall)."""

    def chunks(self, document_id: str, revision: int, ordinals: Iterable[int], scope: Scope) -> tuple[Hit, ...]:
        """Chunks of one revision by ordinal, in that order, as far as the scope sees them; score 0."""

    def vectors(self, text_hashes: Sequence[str]) -> dict[str, Vector]:
        """Dense vectors that already stand for texts, by the hash of the embedded text."""

    def set_groups(self, document_id: str, groups: frozenset[str]) -> None:
        """Change who may see a document's chunks, without touching vectors."""

    def delete_document(self, document_id: str, *, keep_revision: int | None = None, before: int | None = None) -> None:
        """Remove a document's chunks, or only those of revisions other than `keep_revision`, or before `before`."""

    def delete_chunks(self, ids: Sequence[str]) -> None:
        """Remove single chunks by their point ids."""

    def inventory(self, page: int = 1000) -> Iterator[Stored]:
        """Every chunk of whatever revision and group, each once, `page` at a time: for care, never for readers."""

    def still(self) -> AbstractContextManager[Path | None]:
        """Hold back writes and give the folder with all that was written, flushed, fit to be copied while searches go
        on; None where the index is on a server."""

    def count(self, scope: Scope | None = None) -> int:
        """How many chunks stand, or how many the scope sees."""

    def optimize(self, give_way: Callable[[], None] | None = None, stop: Callable[[], bool] | None = None) -> None:
        """Build or renew the search graph where it is worth it. May take minutes; searches go on, writes wait.

        `give_way` returns when this may take the machine, `stop` says whether to leave it to the next call; both are
        asked again and again while a graph is built here.
        """

    def clear_out(self) -> bool:
        """Rewrite the files, so that nothing of deleted chunks is left in them; as `optimize` in length. False where
        something may be left: a server clears out by itself, when it sees fit."""

    def close(self) -> None:
        """Let go of the index; further calls fail."""
