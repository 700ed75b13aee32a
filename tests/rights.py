"""Tests of missing rights bite where they run as root too, as on the machines of CI."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

_PAST_RIGHTS = "-dac_override,-dac_read_search"
"""What lets root, and nobody else, read and write whatever the rights of a file or folder say."""


def ordinary_user() -> list[str]:
    """What a command is put behind, so that rights bind it; skips the test where root can't be bound."""
    if os.geteuid() != 0:
        return []
    bound = ["setpriv", "--bounding-set", _PAST_RIGHTS, "--inh-caps", _PAST_RIGHTS]
    if not shutil.which("setpriv") or subprocess.run([*bound, "true"], check=False).returncode:
        pytest.skip("root reads everything, and setpriv, which binds it, is missing or not allowed")
    return bound
