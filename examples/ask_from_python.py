"""The smallest program: documents in, a cited answer out.

python examples/ask_from_python.py
"""

from pathlib import Path

from ragapp import RagApp

DOCUMENTS = Path(__file__).parent / "documents"


def main() -> None:
    with RagApp() as app:
        app.ingest(DOCUMENTS)
        answer = app.ask("What may a hotel cost in London?")
        print(answer.text)
        for citation in answer.citations:
            print(f"[{citation.marker}] {citation.title}, page {citation.page}: {citation.quote!r}")


if __name__ == "__main__":
    main()
