"""A secret from a file: without the line's end, and never silently none."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragapp.errors import SettingsError
from ragapp.secret_file import read_secret


def test_what_an_editor_puts_behind_it_is_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("kept secret\r\n")
    assert read_secret(tmp_path / "key", "index.api_key_file") == "kept secret"


def test_home_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "key").write_text("kept secret")
    assert read_secret(Path("~/key"), "index.api_key_file") == "kept secret"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"key of index\.api_key_file can't be read: No such file or directory\.$"):
        read_secret(tmp_path / "key", "index.api_key_file")


@pytest.mark.parametrize("nothing", [b"", b"\n", b"  \r\n"])
def test_an_empty_file_is_no_secret(tmp_path: Path, nothing: bytes) -> None:
    (tmp_path / "key").write_bytes(nothing)
    with pytest.raises(SettingsError, match=r"key of index\.api_key_file is empty; write the secret into it\.$"):
        read_secret(tmp_path / "key", "index.api_key_file")


def test_bytes_that_are_no_text_are_not_shown(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"geheim\xff")
    with pytest.raises(SettingsError, match=r"it is no text\.$") as refused:
        read_secret(tmp_path / "key", "index.api_key_file")
    assert "geheim" not in str(refused.value)
