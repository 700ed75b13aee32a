"""Profiles: YAML files of settings, given by name or by path."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from ragapp.bundled import configs_folder
from ragapp.errors import SettingsError
from ragapp.plain_yaml import plain_yaml

DEFAULT = "laptop"
_OTHER_FILES = ("models", "prices")
"""YAML files beside the profiles that are none."""


def profile_names() -> list[str]:
    """The names of the profiles that come with ragapp."""
    return sorted(path.stem for path in configs_folder().glob("*.yaml") if path.stem not in _OTHER_FILES)


def profile_path(profile: str | None = None) -> Path:
    """The file of a profile given by name or path; RAGAPP_PROFILE, then "laptop", when none is given. Raises
    SettingsError where there is no such profile."""
    wanted = profile or os.environ.get("RAGAPP_PROFILE") or DEFAULT
    if wanted.endswith((".yaml", ".yml")) or os.sep in wanted:
        path = Path(wanted).expanduser()
        if not path.is_file():
            raise SettingsError(
                f"There is no profile file {wanted}; give an existing YAML file or one of {', '.join(profile_names())}."
            )
        return path
    if wanted not in profile_names():
        raise SettingsError(f"There is no profile named {wanted}; {suggest(wanted, profile_names())}")
    return configs_folder() / f"{wanted}.yaml"


def read_profile(path: Path) -> dict[str, Any]:
    """A profile's tree as it stands in the file. Raises SettingsError where it is no readable tree."""
    try:
        values = plain_yaml(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"The profile {path} can't be read: {' '.join(str(error).split())}.") from None
    if not isinstance(values, dict):
        raise SettingsError(f"The profile {path} should be a tree of keys, and is a {type(values).__name__}.")
    if (wrong := next(_no_words(values), None)) is not None:
        raise SettingsError(
            f"The profile {path} has the key {wrong}, which names no setting: every key is a word, and YAML reads this "
            "one as a number, a date or a truth value (as it does on, off, yes and no); take it out."
        )
    return values


def _no_words(tree: dict[Any, Any], within: str = "") -> Iterator[str]:
    """The keys of a tree that are no text, dotted."""
    for key, value in tree.items():
        if not isinstance(key, str):
            yield f"{within}{key}"
        elif isinstance(value, dict):
            yield from _no_words(value, f"{within}{key}.")


def suggest(wrong: str, right: Sequence[str]) -> str:
    """The end of a sentence about a wrong name: the nearest right one, or all of them."""
    near = get_close_matches(wrong, right, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(right)}."
