"""docs/formats.md names every extension that is read."""

import re
from pathlib import Path

from ingest.read.formats import supported


def test_every_extension_stands_in_the_table() -> None:
    page = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    rows = (line.replace(r"\|", "") for line in page.splitlines())
    cells = [row.split("|")[2] for row in rows if row.count("|") == 6]
    assert set(re.findall(r"[a-z0-9]+", " ".join(cells))) - {"extensions"} == set(supported())
