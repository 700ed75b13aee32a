"""What travels with the package: inside the wheel, or beside the package in a clone."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def configs_folder() -> Path:
    """The folder of profiles, prompts and the model list."""
    inside = _PACKAGE / "configs"
    return inside if inside.is_dir() else _PACKAGE.parent / "configs"


def examples_folder() -> Path | None:
    """The example documents; None where they were left out."""
    inside = _PACKAGE / "examples"
    found = inside if inside.is_dir() else _PACKAGE.parent / "examples" / "documents"
    return found if found.is_dir() else None
