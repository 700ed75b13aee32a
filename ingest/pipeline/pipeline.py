"""The run that takes files in: fetch → read behind the fence → embed → write → commit, all at the same time.

A document appears or changes by one commit of the catalog, after its chunks stand in the index and were flushed; a
crash at any moment leaves work to do again and nothing that a search could see.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import closing

from ingest.fence.fence import Fence, FenceLimits
from ingest.pipeline.prepare import prepared
from ingest.pipeline.report import Tally
from ingest.pipeline.run import FoundFile, Order, Parts, Run
from ingest.pipeline.write import write_all
from ragapp.catalog.scratch import scratch_folder
from ragapp.settings import IngestSettings

__all__ = ["Order", "Parts", "run_files"]

_OCR_S_PER_MIB = 100.0
"""A MiB of scanned pages are 20 of them, packed well, and a page takes up to 5 s."""


def run_files(files: Iterable[FoundFile], order: Order, parts: Parts, tally: Tally) -> None:
    """Take in files, a stream of any length; those that fail are rows in the tally and in the catalog.

    Raises StorageFull when the disk is full.
    """
    with scratch_folder(parts.files.scratch) as scratch, Fence(fence_limits(parts.settings)) as fence:
        run = Run(order, parts, tally, fence, scratch)
        try:
            # closed by name: after a failed write the reading threads must not go on behind the caller's back
            with closing(prepared(files, run)) as coming:
                write_all(coming, run)
        finally:
            run.let_go_of_all()


def fence_limits(settings: IngestSettings) -> FenceLimits:
    """What the settings let each reader take."""
    return FenceLimits(
        workers=settings.workers or max(2, (os.cpu_count() or 2) // 2),
        memory_mib=settings.worker_memory_mib,
        timeout_s=settings.file_timeout_s,
        timeout_s_per_mib=settings.file_timeout_s_per_mib + (_OCR_S_PER_MIB if settings.ocr else 0.0),
    )
