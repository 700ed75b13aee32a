"""A secret that lies in a file of its own, as container runtimes and password stores hand them out."""

from __future__ import annotations

from pathlib import Path

from ragapp.errors import SettingsError


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
