"""What questions cost here, and what the same tokens would have cost elsewhere."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ragapp.bundled import configs_folder
from ragapp.errors import SettingsError
from ragapp.plain_yaml import plain_yaml

_MILLION = 1_000_000


class Price(BaseModel):
    """An API's list price in US dollars for a million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200)
    input: float = Field(ge=0)
    cached: float = Field(ge=0, description="For input that the API had read before.")
    output: float = Field(ge=0)
    source: str = Field(description="Where the price was read.")
    read: date = Field(description="When.")

    def of(self, prompt_tokens: int, cached_tokens: int, completion_tokens: int) -> float:
        """Dollars; `prompt_tokens` contain the cached ones."""
        fresh = prompt_tokens - cached_tokens
        dollars = fresh * self.input + cached_tokens * self.cached + completion_tokens * self.output
        return round(dollars / _MILLION, 4)


@cache
def prices(path: Path | None = None) -> tuple[Price, ...]:
    """Of a file, or of the list that comes with ragapp. Raises SettingsError where it can't be read as one."""
    found = path or configs_folder() / "prices.yaml"
    try:
        told = plain_yaml(found.read_text(encoding="utf-8"))
        return tuple(TypeAdapter(list[Price]).validate_python(told))
    except OSError as error:
        raise SettingsError(f"The prices in {found} can't be read: {error.strerror}; see costs.prices.") from None
    except (yaml.YAMLError, ValidationError, UnicodeDecodeError) as error:
        first = str(error).splitlines()[0]
        raise SettingsError(f"{found} is no list of prices ({first}); configs/prices.yaml shows what one is.") from None
