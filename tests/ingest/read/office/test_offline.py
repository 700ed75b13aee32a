"""What unstructured would load that nothing here asks for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import docx

READ = """
import sys
from pathlib import Path
from ingest.read.parse import parse
text = parse(Path(sys.argv[1]), max_text_bytes=1 << 20).text
assert "The office opens at 7:30." in text, text
assert "spacy.language" not in sys.modules, "spaCy was loaded to read a Word document"
from ingest.read.office.offline import spacy_model
assert [token.text for token in spacy_model()("Pumps lift water.")] == ["Pumps", "lift", "water", "."]
"""


def test_spacy_is_loaded_by_whoever_asks_it_and_not_with_the_first_word_document(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("The office opens at 7:30.")
    document.save(str(tmp_path / "office.docx"))
    done = subprocess.run(
        [sys.executable, "-c", READ, str(tmp_path / "office.docx")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
