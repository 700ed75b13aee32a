"""docs/command-line.md says what the commands' help says: it is written from it, and this fails when it is not."""

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_what_the_help_says() -> None:
    page = runpy.run_path(str(DOCS / "make_command_line.py"))["page"]()
    assert (DOCS / "command-line.md").read_text(encoding="utf-8") == page, "run: python docs/make_command_line.py"
