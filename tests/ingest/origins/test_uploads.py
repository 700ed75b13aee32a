"""Files that came over the wire: what nobody took up again goes, whoever else clears up meanwhile."""

from __future__ import annotations

import io
import shutil
import time
from pathlib import Path

import pytest

from ingest.origins import uploads
from ingest.origins.origin import NotListed
from ingest.origins.uploads import clear_old, listed, stage

WEEK_S = 7 * 24 * 3600.0


def test_what_nobody_took_up_again_in_a_week_goes(tmp_path: Path) -> None:
    (upload,) = stage(tmp_path, [("a.md", io.BytesIO(b"# A"))])
    clear_old(tmp_path, time.time() + WEEK_S - 60)
    assert upload.path.exists()
    clear_old(tmp_path, time.time() + WEEK_S + 60)
    assert not list(tmp_path.iterdir())
    clear_old(tmp_path / "none")


def test_a_room_that_another_removed_meanwhile_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = [stage(tmp_path, [("a.md", io.BytesIO(b"# A"))])[0].path.parent for _ in range(2)]

    def with_another(room: Path, *, ignore_errors: bool) -> None:
        for each in rooms:
            rmtree(each, ignore_errors=ignore_errors)

    rmtree = shutil.rmtree
    monkeypatch.setattr(uploads.shutil, "rmtree", with_another)
    clear_old(tmp_path, time.time() + WEEK_S + 60)
    assert not list(tmp_path.iterdir())


def test_a_link_where_a_sent_file_lay_is_not_followed(tmp_path: Path) -> None:
    (upload,) = stage(tmp_path, [("a.md", io.BytesIO(b"# A"))])
    (tmp_path / "hidden").write_text("secret")
    upload.path.unlink()
    upload.path.symlink_to(tmp_path / "hidden")
    (found,) = listed([(upload.source, str(upload.path))])
    assert isinstance(found, NotListed) and found.failed
