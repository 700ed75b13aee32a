"""Reads each file of a folder in a process of its own: `python try_hostile.py MEBIBYTES SECONDS:FILE…`.

A line of JSON for each: what came of it ("text", "opened", "reason", "stopped"), what it said, and what it took.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from ingest.read.formats import kind_of
from ingest.read.parse import parse
from ingest.unpack.containers import holds_files, holds_only_files, open_container
from ingest.unpack.opened import ContainerLimits
from ragapp.errors import Unreadable

LIMITS = ContainerLimits()


def outcome(path: Path, into: Path) -> dict[str, object]:
    """What a run of ingestion would find in one file."""
    try:
        kind = kind_of(path)
        held = open_container(path, kind, into, LIMITS, 0) if holds_files(kind) else None
        found = {
            "members": [member.name for member in held.members] if held else [],
            "refused": [failure.reason for failure in held.refused] if held else [],
            "bytes": sum(each.stat().st_size for each in into.iterdir()) if held else 0,
        }
        if holds_only_files(kind):
            return {"came": "opened", **found}
        text = parse(path, max_text_bytes=64 << 20).text
        return {"came": "text", "said": text[:400], "passwd": "root:" in text, "size": len(text), **found}
    except Unreadable as reason:
        return {"came": "reason", "said": str(reason)}
    except OSError as error:
        return {"came": "reason", "said": f"can't be opened ({error.strerror})"}


def attempt(path: Path, seconds: int, mebibytes: int) -> dict[str, object]:
    """The outcome, from a forked process with these limits."""
    began = time.monotonic()
    into = Path(tempfile.mkdtemp())
    back, forth = os.pipe()
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_AS, (mebibytes << 20, mebibytes << 20))
        signal.alarm(seconds)
        with os.fdopen(forth, "w") as answer:
            answer.write(json.dumps(outcome(path, into / "out")))
            answer.flush()
        os._exit(0)
    os.close(forth)
    with os.fdopen(back) as answer:
        said = answer.read()
    _, status, usage = os.wait4(child, 0)
    found = json.loads(said) if said else {"came": "stopped", "said": f"status {status}"}
    shutil.rmtree(into)
    return found | {"seconds": round(time.monotonic() - began, 2), "mebibytes": usage.ru_maxrss >> 10}


def main(mebibytes: int, given: list[str]) -> None:
    files = [(Path(name), int(seconds)) for seconds, _, name in (each.partition(":") for each in given)]
    # every reader is loaded once, as in a worker that has read a file before
    for path in [path for path, _ in files if path.name.startswith("good.")]:
        parse(path, max_text_bytes=1 << 20)
    for path, seconds in files:
        print(json.dumps(attempt(path, seconds, mebibytes)), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
