"""Secrets of others that must be kept to be used again: encrypted, by a key that lies apart from them."""

from __future__ import annotations

import base64
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ragapp.secret_file import own_secret

_NONCE = 12
KEY_NAME = "sealing.key"
"""In the data folder, and in no backup: whoever has the catalog alone can open nothing."""


class Seal:
    """AES-256-GCM. What is sealed for one owner can't be opened as another's."""

    def __init__(self, data: Path) -> None:
        self._path = data / KEY_NAME

    def seal(self, text: str, owner: str) -> str:
        nonce = secrets.token_bytes(_NONCE)
        return base64.b64encode(nonce + self._cipher().encrypt(nonce, text.encode(), owner.encode())).decode()

    def open(self, sealed: str, owner: str) -> str | None:
        """None where it was sealed by another key, for another owner, or not at all."""
        try:
            raw = base64.b64decode(sealed, validate=True)
            return self._cipher().decrypt(raw[:_NONCE], raw[_NONCE:], owner.encode()).decode()
        except (InvalidTag, ValueError):
            return None

    def _cipher(self) -> AESGCM:
        return AESGCM(own_secret(self._path))
