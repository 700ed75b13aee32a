"""Pieces wait on disk for the embedder: all of them, in order, a page in memory at a time, and nothing is left."""

import errno
import os
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.pipeline import spool as spooling
from ingest.pipeline.spool import spool, unspool
from ragapp.errors import StorageFull


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(count=st.integers(0, 3 * spooling._PAGE + 1))
def test_what_was_written_comes_back_in_order_and_its_file_goes(count: int, tmp_path: Path) -> None:
    path = tmp_path / "pieces"
    assert spool(range(count), path) == count
    assert list(unspool(path)) == list(range(count))
    assert not path.exists()


def test_pieces_are_read_a_page_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[int] = []
    real = spooling.pickle.load

    def counted(file: Any) -> Any:
        page = real(file)
        loads.append(len(page))
        return page

    monkeypatch.setattr(spooling.pickle, "load", counted)
    path = tmp_path / "pieces"
    spool(range(10 * spooling._PAGE), path)
    assert list(islice(unspool(path), spooling._PAGE + 1))[-1] == spooling._PAGE
    assert loads == [spooling._PAGE] * 2


def test_a_full_disk_is_said_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(spooling.pickle, "dump", full)
    with pytest.raises(StorageFull, match="is full; free some space"):
        spool([1], tmp_path / "pieces")
