"""Show an answer while it comes: what was found, then each sentence once it was checked.

python examples/stream_an_answer.py
"""

from pathlib import Path

from ragapp import RagApp
from ragapp.answer.events import CitationReady, Done, PassagesFound, SentenceReady

DOCUMENTS = Path(__file__).parent / "documents"


def main() -> None:
    with RagApp() as app:
        app.ingest(DOCUMENTS)
        for event in app.stream("How long is the warranty?"):
            match event:
                case PassagesFound(passages):
                    print(f"reading {len(passages)} passages …")
                case CitationReady(citation):
                    print(f"  [{citation.marker}] is {citation.title}, page {citation.page}")
                case SentenceReady(sentence):
                    print(sentence.text, *(f"[{marker}]" for marker in sentence.markers))
                case Done(answer):
                    print(f"{answer.status} in {answer.timings.total_s:.1f} s")


if __name__ == "__main__":
    main()
