"""What an engine's processes hang on knows which of them still count."""

from __future__ import annotations

import os
from pathlib import Path

from ragapp.engine.lifeline import Tether


def test_a_child_that_was_prepared_in_vain_does_not_count_as_dead(tmp_path: Path) -> None:
    with (tmp_path / "output").open("wb") as output, (tmp_path / "inherited").open("wb") as inherited:
        tether = Tether(output.fileno())
        tether.prepare((), os.environ)
        [prepared] = tether.pids
        child = tether.child([inherited.fileno()])
        try:
            assert tether.pids == [child.pid]
            assert prepared != child.pid
            assert tether.alive()
        finally:
            child.give_up()
