"""Put a stage of your own into the chain: here, a judge that leaves questions about pay to the people team.

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

        def but_not_pay(query: str, retrieved: Retrieved) -> Judgement:
            if {"salary", "pay", "bonus"} & set(query.lower().strip("?").split()):
                return Judgement("pay is for the people team to explain")
            return ours.judge(query, retrieved)

        chain = app.chain(stages=replace(ours, judge=but_not_pay))
        for question in ("What may a hotel cost in London?", "How high is the bonus?"):
            answer = chain.invoke(question)
            print(answer.status, answer.reason or answer.text)


if __name__ == "__main__":
    main()
