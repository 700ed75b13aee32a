"""Run the benches one after the other, each in a process of its own; figures go to docs/performance.md.

python -m benchmarks [ingest] [parsing] [scale] [retrieval] [engine] [followups] [service] [orders] [numberformat]
    [soak]
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.table import Row, as_markdown

ROOT = Path(__file__).parent.parent
BENCHES = (
    "ingest",
    "parsing",
    "scale",
    "retrieval",
    "engine",
    "followups",
    "service",
    "orders",
    "numberformat",
    "soak",
)
BEGIN, END = "<!-- figures: written by make bench -->\n", "<!-- end of figures -->\n"


def main() -> None:
    wanted = [name for name in sys.argv[1:] if name in BENCHES] or list(BENCHES)
    results = ROOT / "benchmarks" / "results.json"
    known: dict[str, dict[str, Any]] = json.loads(results.read_text()) if results.exists() else {}
    for name in wanted:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}", "--json"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"the bench {name} failed with exit code {done.returncode}")
        rows = json.loads(done.stdout.strip().splitlines()[-1])
        known[name] = {"when": f"{datetime.now(UTC):%Y-%m-%d}", "machine": _machine(), "rows": rows}
        results.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")
    tables = _tables([known[name] for name in BENCHES if known.get(name, {}).get("rows")])
    print(tables)
    _keep(tables)


def _tables(measured: list[dict[str, Any]]) -> str:
    """A table for each day and machine: figures of different ones are not to be compared."""
    stamps = dict.fromkeys((bench["when"], bench["machine"]) for bench in measured)
    return "\n".join(
        f"Measured {when} on {machine}.\n\n"
        + as_markdown(
            [Row(**row) for b in measured if (b["when"], b["machine"]) == (when, machine) for row in b["rows"]]
        )
        for when, machine in stamps
    )


def _keep(tables: str) -> None:
    page = ROOT / "docs" / "performance.md"
    text = page.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    page.write_text(f"{before}{BEGIN}\n{tables}\n{END}{after}", encoding="utf-8")


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":")[1].strip() for line in lines if "model name" in line] or [platform.processor()]
    return f"{os.cpu_count()} cores of {names[0]}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
