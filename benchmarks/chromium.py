"""The system's Chromium, which Playwright drives: the same names as in configs/setup/browser."""

from __future__ import annotations

import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome")
NONE = "There is no Chromium; install one (Debian, Ubuntu: apt-get install chromium)."


def chromium() -> str | None:
    """The program's path; None where the system has none, and `NONE` says so."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)
