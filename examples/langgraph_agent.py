"""The chain as a node of a LangGraph graph: answer from the documents, or hand over to a person.

python examples/langgraph_agent.py
"""

from pathlib import Path
from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph

from ragapp import Answer, RagApp

DOCUMENTS = Path(__file__).parent / "documents"


class State(TypedDict, total=False):
    question: str
    answer: Answer
    ticket: str


def build(app: RagApp) -> Any:
    """A graph with two nodes: `answer`, and `hand_over` where the documents hold no answer."""

    def answer(state: State) -> State:
        return {"answer": app.chain().invoke(state["question"])}

    def hand_over(state: State) -> State:
        nearest = ", ".join(document.title for document in state["answer"].nearest)
        return {"ticket": f"{state['question']} (nothing in the documents; nearest: {nearest})"}

    graph = StateGraph(State)
    graph.add_node("answer", answer)
    graph.add_node("hand_over", hand_over)
    graph.add_edge(START, "answer")
    graph.add_conditional_edges(
        "answer", lambda state: END if state["answer"].status == "answered" else "hand_over", ["hand_over", END]
    )
    graph.add_edge("hand_over", END)
    return graph.compile()


def main() -> None:
    with RagApp() as app:
        app.ingest(DOCUMENTS)
        agent = build(app)
        for question in (
            "How many days of annual leave do we get in Germany?",
            "Who won the football world cup in 1954?",
        ):
            end = agent.invoke({"question": question})
            print(end.get("ticket") or end["answer"].text)


if __name__ == "__main__":
    main()
