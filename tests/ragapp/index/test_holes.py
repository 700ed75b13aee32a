"""Holes stay holes, and every byte stays what it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragapp.index.holes import copy_with_holes


def test_a_hole_is_not_written_out(tmp_path: Path) -> None:
    with (tmp_path / "page").open("wb") as page:
        page.write(b"start")
        page.truncate(32 << 20)
    copy_with_holes(tmp_path / "page", tmp_path / "copy")
    copied = (tmp_path / "copy").stat()
    assert copied.st_size == 32 << 20
    assert copied.st_blocks * 512 < 1 << 20
    assert (tmp_path / "copy").read_bytes() == (tmp_path / "page").read_bytes()


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from([1, 100, (1 << 16) - 1, 1 << 16, (1 << 16) + 1, 200_000]))),
)
def test_whatever_a_file_holds_its_copy_holds(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[bool, int]]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    source = folder / "sparse-source"
    source.write_bytes(b"".join((b"\0" if empty else b"x") * length for empty, length in runs))
    assert Path(copy_with_holes(source, folder / "sparse-copy")).read_bytes() == source.read_bytes()
