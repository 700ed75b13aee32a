"""A secret from a file: without the line's end, and never silently none."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragapp.errors import SettingsError
from ragapp.secret_file import own_secret, read_secret


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


def test_one_s_own_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    made = own_secret(tmp_path / "data" / "secret")
    assert len(made) == 32
    assert own_secret(tmp_path / "data" / "secret") == made != own_secret(tmp_path / "other")
    assert (tmp_path / "data" / "secret").stat().st_mode & 0o077 == 0
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret"]


def test_an_empty_file_left_by_a_crash_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "secret").touch()
    assert len(own_secret(tmp_path / "secret")) == 32
