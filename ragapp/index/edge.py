"""The embedded index: Qdrant's own engine in this process, one folder, one owner."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import qdrant_edge as edge

from ragapp.access import Scope
from ragapp.errors import IndexUnavailable, StorageFull
from ragapp.index.base import INVENTORY_FIELDS, Hit, HybridHits, Point, SparseVector, Stored, Vector, stored
from ragapp.index.edge_requests import (
    each_word,
    edge_point,
    found,
    is_any,
    is_value,
    nearest,
    scope_filter,
    worded,
)
from ragapp.index.graph import build_beside, exchange, mend
from ragapp.index.log import roll_over, write_nothing
from ragapp.index.owner import Ownership
from ragapp.index.schema import (
    BM25,
    DATETIME_FIELDS,
    DENSE,
    INTEGER_FIELDS,
    KEYWORD_FIELDS,
    index_name,
)
from ragapp.index.scoring import (
    NOBODY,
    Found,
    WordWeights,
    all_alike,
    hits,
    seen_by,
    wanted,
    weighed,
    weighty,
    with_words,
    word_weights,
    words_of,
)
from ragapp.private import private_file, private_folder

_SPARE_BYTES = 192 << 20
"""Disk space under which nothing is written. Qdrant Edge writes through mapped files of up to 32 MiB each, and the
kernel ends a process that writes to a mapped file on a full disk (SIGBUS): the disk must never run full under it."""

_GRAPH_FROM_KB = 10_000
"""Vectors without a graph, in kB, from which on one is built: 6,600 of 384 dimensions, compared in a millisecond."""


_EXACT_KB = 30_000
"""Vectors, in kB, up to which a scope's are compared one by one though there is a graph: 20,000 of 384 dimensions, in 3
milliseconds where the graph takes 2."""

_SCOPES = 10_000
"""Scopes of which it is remembered whether they see few."""

_IN_PLACE = 5_000
"""Chunks up to which dead ones are cleared out in place, in milliseconds."""

_DEAD_SHARE = 0.05
"""Dead chunks that a larger index may keep, for their share of the disk and of each search's work."""

_NOTHING = scope_filter(NOBODY)


def open_edge(data: Path, fingerprint: str, dimensions: int) -> EdgeIndex:
    """The embedded index of one embedding model below a data folder; made when it isn't there.

    Raises IndexLocked where another process has it, IndexUnavailable where it is damaged or can't be written.
    """
    return EdgeIndex(data / "index" / index_name(fingerprint), dimensions)


class EdgeIndex:
    """One shard of Qdrant Edge. Safe to share between threads: calls wait for one another, a few milliseconds.

    Qdrant Edge keeps Python's interpreter lock while it works, so threads gain nothing from running side by side, and
    the lock here only guards the shard's exchange and close. While `optimize` builds the search graph, searches go on
    and writes wait for its end. See base.Index for what each method promises.
    """

    def __init__(self, folder: Path, dimensions: int) -> None:
        self.folder = folder
        self.dimensions = dimensions
        self._lock = threading.RLock()
        self._writing = threading.RLock()
        self._shard: Any = None
        self._few: dict[Scope, bool] = {}
        self._weights = WordWeights()
        with _in_words(folder):
            # Qdrant makes its files as the umask says: this folder is what keeps others from them
            private_folder(folder.parent)
            self._owner = Ownership.take(folder.with_name(folder.name + ".owner"), folder)
        try:
            with _in_words(folder):
                self._shard = _open(folder, dimensions)
        except BaseException:
            self._owner.release()
            raise

    def upsert(self, points: Sequence[Point]) -> None:
        if points:
            _refuse_a_full_disk(self.folder)
            self._update(edge.UpdateOperation.upsert_points([edge_point(point) for point in points]))

    def flush(self) -> None:
        with self._writing:
            self._call(lambda shard: shard.flush())

    def hybrid(self, dense: Vector, sparse: SparseVector, scope: Scope, limit: int) -> HybridHits:
        if not sparse.indices:
            # a question of stop words only has no words to look for
            return HybridHits(self.dense(dense, scope, limit), ())
        visible, seen, exact = scope_filter(scope), scope_filter(seen_by(scope)), self._sees_few(scope)
        weights = self._weights.of(scope)
        near = nearest(dense, visible, wanted(limit), exact=exact)
        if new := [token for token in sparse.indices if token not in weights]:
            best = worded(sparse, visible, seen, wanted(limit))
            by_meaning, by_words, *each = self._ask(near, best, *each_word(new, seen))
            weights |= word_weights(new, each)
            words = weighty(sparse, weights)
        else:
            words = weighty(sparse, weights)
            by_meaning, by_words = self._ask(near, worded(words, visible, _NOTHING, wanted(limit)))

        def worded_so(many: int) -> list[Found]:
            return self._ask(worded(words, visible, _NOTHING, many, with_payload=False, with_words=False))[0]

        by_words = weighed(with_words(all_alike(by_words, limit, worded_so), self._words), words)
        return HybridHits(self._near(by_meaning, dense, scope, limit, exact), hits(by_words, limit, self._payloads))

    def dense(self, vector: Vector, scope: Scope, limit: int, *, exact: bool = False) -> tuple[Hit, ...]:
        exact = exact or self._sees_few(scope)
        found = self._ask(nearest(vector, scope_filter(scope), wanted(limit), exact=exact))[0]
        return self._near(found, vector, scope, limit, exact)

    def chunks(self, document_id: str, revision: int, ordinals: Iterable[int], scope: Scope) -> tuple[Hit, ...]:
        wanted = sorted(set(ordinals))
        if not wanted:
            return ()
        within = scope_filter(
            scope, is_value("document_id", document_id), is_value("revision", revision), is_any("ordinal", wanted)
        )
        records = self._scroll(within, len(wanted), with_payload=True)
        return tuple(sorted((Hit(str(r.id), 0.0, r.payload) for r in records), key=lambda hit: hit.payload["ordinal"]))

    def vectors(self, text_hashes: Sequence[str]) -> dict[str, Vector]:
        found: dict[str, Vector] = {}
        missing = list(dict.fromkeys(text_hashes))
        while missing:
            # many chunks may share one text: each round asks only for the hashes that no round before has brought
            limit = 2 * len(missing)
            within = edge.Filter(must=[is_any("text_hash", missing)])
            records = self._scroll(within, limit, with_payload=["text_hash"], with_vector=[DENSE])
            for record in records:
                key = record.payload["text_hash"]
                if key not in found:
                    found[key] = np.asarray(record.vector[DENSE], np.float32)
            if len(records) < limit:
                break
            missing = [key for key in missing if key not in found]
        return found

    def set_groups(self, document_id: str, groups: frozenset[str]) -> None:
        within = edge.Filter(must=[is_value("document_id", document_id)])
        self._update(edge.UpdateOperation.set_payload_by_filter(within, {"groups": sorted(groups)}))

    def delete_document(self, document_id: str, *, keep_revision: int | None = None, before: int | None = None) -> None:
        kept = None if keep_revision is None else [is_value("revision", keep_revision)]
        must = [is_value("document_id", document_id)]
        if before is not None:
            must.append(edge.FieldCondition("revision", range=edge.RangeFloat(lt=before)))
        within = edge.Filter(must=must, must_not=kept)
        with self._writing:
            # noted first: a crash in between clears out once too often, and never leaves dead chunks uncounted
            self._count_dead(int(self._call(lambda s: s.count(edge.CountRequest(exact=True, filter=within)))))
            self._update(edge.UpdateOperation.delete_points_by_filter(within))

    def delete_chunks(self, ids: Sequence[str]) -> None:
        if ids:
            with self._writing:
                self._count_dead(len(ids))
                self._update(edge.UpdateOperation.delete_points(list(ids)))

    def inventory(self, page: int = 1000) -> Iterator[Stored]:
        offset: Any = None
        while True:
            request = edge.ScrollRequest(offset=offset, limit=page, with_payload=INVENTORY_FIELDS)
            records, offset = self._call(partial(_scrolled, request))
            yield from (stored(str(record.id), record.payload or {}) for record in records)
            if offset is None:
                return

    @contextmanager
    def still(self) -> Iterator[Path | None]:
        with self._writing:
            self.flush()
            yield self.folder

    def count(self, scope: Scope | None = None) -> int:
        within = None if scope is None else scope_filter(scope)
        return int(self._call(lambda shard: shard.count(edge.CountRequest(exact=True, filter=within))))

    def optimize(self, give_way: Callable[[], None] | None = None, stop: Callable[[], bool] | None = None) -> None:
        with self._writing:
            points, dead = self._points(), self._dead()
            if dead and points <= _IN_PLACE:
                self._clear_in_place(dead)
                return
            graph_is_worth_it = self._call(_without_graph) * self.dimensions * 4 >= _GRAPH_FROM_KB * 1024
            if not graph_is_worth_it and dead <= _DEAD_SHARE * points:
                return
            self._clear_beside(dead, give_way, stop)

    def clear_out(self) -> bool:
        with self._writing:
            dead = self._dead()
            if dead and self._points() <= _IN_PLACE:
                self._clear_in_place(dead)
            elif dead:
                self._clear_beside(dead)
            _refuse_a_full_disk(self.folder)
            return roll_over(self.folder / "wal", lambda: self._call(write_nothing))

    def _clear_in_place(self, dead: int) -> None:
        self._call(lambda shard: shard.optimize())
        self.flush()
        self._count_dead(-dead)

    def _clear_beside(
        self, dead: int, give_way: Callable[[], None] | None = None, stop: Callable[[], bool] | None = None
    ) -> None:
        self.flush()
        with _in_words(self.folder):
            draft = build_beside(self.folder, _SPARE_BYTES, give_way, stop)
        if draft is not None:
            self._call(lambda shard: self._exchange(shard, draft))
            self._count_dead(-dead)

    def close(self) -> None:
        """Let go of the index, after the write that is going on. Closing twice is harmless."""
        with self._writing, self._lock:
            if self._shard is not None:
                self._shard.close()
                self._shard = None
                self._owner.release()

    def _update(self, operation: Any) -> None:
        with self._writing:
            self._call(lambda shard: shard.update(operation))
            self._few = {}
            self._weights.forget()

    def _points(self) -> int:
        return int(self._call(lambda shard: shard.info().points_count))

    def _dead(self) -> int:
        """Deleted chunks that stand in the files still, as far as this was noted."""
        try:
            return int(self._dead_note.read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def _count_dead(self, more: int) -> None:
        if not more:
            return
        known = self._dead()
        draft = self._dead_note.with_name(self._dead_note.name + ".new")
        with _in_words(self.folder):
            with open(draft, "w", opener=private_file) as sink:
                sink.write(str(max(0, known + more)))
            draft.replace(self._dead_note)
            if not known:  # that there are any must outlive a power cut; how many exactly need not
                for path in (self._dead_note, self.folder.parent):
                    _sync(path)

    @property
    def _dead_note(self) -> Path:
        return self.folder.with_name(self.folder.name + ".dead")

    def _exchange(self, shard: Any, draft: Path) -> None:
        self._shard = None
        shard.close()
        try:
            exchange(self.folder, draft)
        finally:
            mend(self.folder)
            self._shard = edge.EdgeShard.load(str(self.folder))

    def _ask(self, *requests: Any) -> list[list[Found]]:
        return list(map(found, self._call(lambda shard: shard.query_batch(edge.QueryBatchRequest(list(requests))))))

    def _near(self, found: list[Found], vector: Vector, scope: Scope, limit: int, exact: bool) -> tuple[Hit, ...]:
        """The best of the `wanted` nearest, and of others that are as near as the last."""

        def as_near(many: int) -> list[Found]:
            return self._ask(nearest(vector, scope_filter(scope), many, exact=exact, with_payload=False))[0]

        return hits(all_alike(found, limit, as_near), limit, self._payloads)

    def _payloads(self, ids: list[str]) -> dict[str, Any]:
        records = self._call(lambda shard: shard.retrieve(ids, with_payload=True, with_vector=False))
        return {str(record.id): record.payload for record in records}

    def _words(self, ids: list[str]) -> dict[str, dict[int, float]]:
        records = self._call(lambda shard: shard.retrieve(ids, with_payload=False, with_vector=[BM25]))
        return {str(record.id): words_of(record.vector) for record in records}

    def _sees_few(self, scope: Scope) -> bool:
        """Whether a scope sees so little that all of it is compared, and no graph is walked whose shape tells of what
        others see. Counted anew after each write."""
        most = _EXACT_KB * 1024 // (4 * self.dimensions)
        if self._points() <= most:
            return True
        with self._lock:
            counted = self._few
        if scope not in counted:
            if len(counted) >= _SCOPES:
                counted.clear()
            within = scope_filter(scope)
            about = int(self._call(lambda shard: shard.count(edge.CountRequest(exact=False, filter=within))))
            # an exact count takes longer the more there is
            counted[scope] = about <= 4 * most and self.count(scope) <= most
        return counted[scope]

    def _scroll(self, within: Any, limit: int, **wanted: Any) -> list[Any]:
        request = edge.ScrollRequest(limit=limit, filter=within, **wanted)
        records, _ = self._call(lambda shard: shard.scroll(request))
        return list(records)

    def _call(self, work: Callable[[Any], Any]) -> Any:
        with self._lock, _in_words(self.folder):
            if self._shard is None:
                raise IndexUnavailable(f"The index in {self.folder} was closed; open it again.")
            return work(self._shard)


def _without_graph(shard: Any) -> int:
    """Chunks that a search must compare one by one. Word weights are indexed as they are written, and counted too."""
    info = shard.info()
    return int(2 * info.points_count - info.indexed_vectors_count)


def _open(folder: Path, dimensions: int) -> Any:
    mend(folder)
    if not folder.exists():
        _refuse_a_full_disk(folder)
        # made beside and renamed, so that a crash leaves either no index or a whole one
        draft = folder.with_name(folder.name + ".new")
        shutil.rmtree(draft, ignore_errors=True)
        _create(draft, dimensions).close()
        draft.rename(folder)
    return edge.EdgeShard.load(str(folder))


def _create(folder: Path, dimensions: int) -> Any:
    private_folder(folder)
    shard = edge.EdgeShard.create(
        str(folder),
        edge.EdgeConfig(
            vectors={DENSE: edge.EdgeVectorParams(size=dimensions, distance=edge.Distance.Cosine)},
            sparse_vectors={BM25: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)},
            # dead chunks are cleared out whenever `optimize` decides to, however few they are
            optimizers=edge.EdgeOptimizersConfig(
                indexing_threshold=_GRAPH_FROM_KB, deleted_threshold=0.0, vacuum_min_vector_number=1
            ),
        ),
    )
    # before the first point, so that the search graph is built with links for each field's values
    kinds = edge.PayloadSchemaType
    for fields, kind in (
        (KEYWORD_FIELDS, kinds.Keyword),
        (INTEGER_FIELDS, kinds.Integer),
        (DATETIME_FIELDS, kinds.Datetime),
    ):
        for field in fields:
            shard.update(edge.UpdateOperation.create_field_index(field, kind))
    return shard


def _sync(path: Path) -> None:
    """A file or folder, onto the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _scrolled(request: Any, shard: Any) -> Any:
    return shard.scroll(request)


@contextmanager
def _in_words(folder: Path) -> Iterator[None]:
    """Qdrant Edge and the file system fail with their own errors: say them as ours."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageFull(_full(folder)) from error
        raise IndexUnavailable(f"The index in {folder} can't be used: {error.strerror}.") from error
    except Exception as error:
        # qdrant_edge raises bare Exception for everything that goes wrong inside it
        if type(error) is not Exception:
            raise
        reason = " ".join(str(error).split())
        if "No space left" in reason or "os error 28" in reason:
            raise StorageFull(_full(folder)) from error
        raise IndexUnavailable(_damaged(folder, reason)) from error


def _refuse_a_full_disk(folder: Path) -> None:
    if shutil.disk_usage(folder.parent).free < _SPARE_BYTES:
        raise StorageFull(_full(folder))


def _full(folder: Path) -> str:
    return (
        f"The disk of the index in {folder} is full, or has under {_SPARE_BYTES >> 20} MiB beside what is to be "
        "written; free some space and run again (what was committed is untouched)."
    )


def _damaged(folder: Path, reason: str) -> str:
    return (
        f"The index in {folder} is damaged ({reason[:300]}); put a copy of it back, or move {folder.parent.parent} "
        "away and ingest again."
    )
