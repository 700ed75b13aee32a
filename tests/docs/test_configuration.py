"""docs/configuration.md says what the settings are: it is written from them, and this fails when it was not renewed."""

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_what_the_settings_say() -> None:
    page = runpy.run_path(str(DOCS / "make_configuration.py"))["page"]()
    assert (DOCS / "configuration.md").read_text(encoding="utf-8") == page, "run: python docs/make_configuration.py"


def test_every_setting_is_explained() -> None:
    page = (DOCS / "configuration.md").read_text(encoding="utf-8")
    assert "| None |" not in page
