"""Secrets that lie in files of their own: handed in, as container runtimes and password stores do, or made here."""

from __future__ import annotations

import secrets
from pathlib import Path

from ragapp.errors import SettingsError
from ragapp.private import private_folder


def read_secret(path: Path, key: str) -> str:
    """The secret in the file that the setting `key` names, without the line's end.

    Raises SettingsError where the file can't be read or holds nothing: going on without would be going on unlocked.
    """
    try:
        secret = path.expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise SettingsError(f"The file {path} of {key} can't be read: {reason}.") from None
    if not secret:
        raise SettingsError(f"The file {path} of {key} is empty; write the secret into it.")
    return secret


def own_secret(path: Path) -> bytes:
    """32 random bytes that stay the same from their first use on, in a file that only its owner can read."""
    if not path.exists() or not path.stat().st_size:
        private_folder(path.parent)
        # written beside and renamed: a crash or another process at the same moment must leave no empty secret
        draft = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
        draft.touch(mode=0o600)
        draft.write_bytes(secrets.token_bytes(32))
        draft.replace(path)
    return path.read_bytes()
