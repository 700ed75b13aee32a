"""Put a stage of your own into the chain: here, a judge that wants two passages from different documents.

python examples/own_stage.py
"""

from dataclasses import replace
from pathlib import Path

from ragapp import RagApp
from ragapp.answer.grounding import Judgement
from ragapp.retrieve.hybrid import Retrieved

DOCUMENTS = Path(__file__).parent / "documents"


def main() -> None:
    with RagApp() as app:
        app.ingest(DOCUMENTS)
        ours = app.stages

        def two_documents(query: str, retrieved: Retrieved) -> Judgement:
            if len({passage.document_id for passage in retrieved.passages}) < 2:
                return Judgement("only one document speaks of it")
            return ours.judge(query, retrieved)

        chain = app.chain(stages=replace(ours, judge=two_documents))
        answer = chain.invoke("Who may approve travel?")
        print(answer.status, answer.text, answer.reason)


if __name__ == "__main__":
    main()
