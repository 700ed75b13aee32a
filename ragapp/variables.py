"""RAGAPP_… variables: what each is called, and how its text becomes a list or a whole part of the settings."""

from __future__ import annotations

import json
import os
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_settings import NoDecode

from ragapp.errors import SettingsError

ENV_PREFIX = "RAGAPP_"
QDRANT = MappingProxyType({"index.url": "QDRANT_URL", "index.api_key": "QDRANT_API_KEY"})
"""Key → the variable by Qdrant's own name that stands in where the setting is empty."""


def variable(key: str) -> str:
    """The variable of a dotted key."""
    return ENV_PREFIX + key.replace(".", "__").upper()


def given(key: str) -> str:
    """What the variable of a dotted key holds; "" where it is not set."""
    return os.environ.get(variable(key), "")


def read_part(part: str) -> Any:
    """What the variable of a whole part holds, None where it is not set. Raises SettingsError where that is no JSON."""
    if not (text := given(part)):
        return None
    try:
        return json.loads(text)
    except ValueError:
        # the text itself may hold a key or a password
        raise SettingsError(
            f"The variable {variable(part)} should hold a tree of keys as JSON, and can't be read as that; write it "
            f'like {variable(part)}=\'{{"key": "value"}}\', or set one key at a time as {variable(part)}__KEY.'
        ) from None


def _listed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if not value.lstrip().startswith("["):
        return [word.strip() for word in value.split(",") if word.strip()]
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError("it begins like a JSON list and can't be read as one") from None


Texts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]
"""Several texts, which a variable gives with commas between them or as a JSON list."""
