"""Asking: conversations, answers as they come, and what they rest on."""

from __future__ import annotations

from typing import Any

import streamlit as st

from ui.client import Client, ServiceError
from ui.pages.attachments import attach
from ui.pages.conversations import chosen, conversation_list, conversation_menu, open_conversation
from ui.pages.jobs import going
from ui.parts.components import mount
from ui.parts.plain import plain
from ui.parts.session import client, said

_LONGEST = 20_000
_LOOK_S = 2
_UNSETTLED = ("queued", "running")
_SHOWN = ("state", "reason", "answer", "sentences", "citations", "nearest", "withheld")
"""What the answer's part needs of an answer that is done."""


def show() -> None:
    """The page."""
    service = client()
    with said():
        conversation_list(service)
        found = _conversation(service)
        if found:
            conversation_menu(service, found)
            for answer in found["answers"]:
                _turn(service, found["id"], answer)
        if not found or not found["answers"]:
            _beginning(service)
        _composer(service, found)


def _conversation(service: Client) -> dict[str, Any] | None:
    wanted = chosen()
    if not wanted:
        return None
    try:
        return dict(service.get(f"/v1/conversations/{wanted}"))
    except ServiceError as error:
        if error.status not in (404, 422):
            raise
        # deleted elsewhere, or a link of somebody else's
        open_conversation(None)
        st.info("This conversation is not there any more.", icon=":material/info:")
        return None


def _turn(service: Client, conversation_id: str, answer: dict[str, Any]) -> None:
    """One question and its answer."""
    with st.chat_message("user", avatar=":material/person:"):
        _question(service, conversation_id, answer)
    with st.chat_message("assistant", avatar=":material/library_books:"):
        done = answer["state"] not in _UNSETTLED
        data = {
            "id": answer["id"],
            "question": answer["question"],
            "csrf": service.me.csrf,
            "feedback": answer["feedback"],
            "answer": {name: answer[name] for name in _SHOWN} if done else None,
        }
        told = mount("answer", data, key=f"answer-{answer['id']}", again=lambda: None)
        if told.again == answer["id"]:
            _ask(service, answer["question"], conversation_id, replaces=answer["id"])


def _question(service: Client, conversation_id: str, answer: dict[str, Any]) -> None:
    if st.session_state.get("editing") == answer["id"]:
        with st.form(f"edit-{answer['id']}", border=False):
            wording = st.text_area("Question", answer["question"], max_chars=_LONGEST)
            left, right, _ = st.columns([1, 1, 6])
            send = left.form_submit_button("Ask", type="primary", width="stretch")
            if right.form_submit_button("Cancel", width="stretch"):
                st.session_state.pop("editing", None)
                st.rerun()
        if send and wording.strip():
            st.session_state.pop("editing", None)
            _ask(service, wording, conversation_id, replaces=answer["id"])
        return
    row = st.container(horizontal=True, wrap=False)
    row.text(answer["question"], width="stretch")
    if row.button("Edit", key=f"change-{answer['id']}", type="tertiary", width="content", help="Change the question"):
        st.session_state["editing"] = answer["id"]
        st.rerun()


def _beginning(service: Client) -> None:
    """An empty page: what one could ask, or what has to come first."""
    if service.get("/v1/documents", limit=1)["total"] == 0:
        _no_documents(service)
        return
    st.title("Ask your documents", anchor=False)
    st.caption(
        "Every sentence of an answer names the place that it rests on. What your documents don't say is said too."
    )
    for suggested in service.get("/v1/suggestions", limit=4):
        key = f"suggested-{suggested['document_id']}-{suggested['question']}"
        if st.button(plain(suggested["question"]), key=key, icon=":material/lightbulb:"):
            _ask(service, suggested["question"], chosen())


def _no_documents(service: Client) -> None:
    if not service.me.is_curator:
        st.title("Nothing to read yet", anchor=False)
        st.info("There are no documents that you may see; ask whoever looks after them.", icon=":material/info:")
        return
    if going(service):
        st.title("The first documents are being read", anchor=False)
        st.info(
            "This takes a moment; the page goes on by itself. You may ask already.", icon=":material/hourglass_top:"
        )
    else:
        st.title("Add your first documents", anchor=False)
        st.write("Answers come from your own documents, so these come first.")
        if st.button("Add documents", type="primary", icon=":material/upload_file:"):
            st.switch_page(st.session_state["pages"]["documents"])
    _await_documents()


@st.fragment(run_every=_LOOK_S)
def _await_documents() -> None:
    try:
        there = client().get("/v1/documents", limit=1)["total"]
    except ServiceError:
        return
    if there:
        st.rerun()


def _reading(service: Client) -> None:
    """Whoever brings documents in is told that answers don't know all of them yet."""
    if service.me.is_curator and going(service):
        st.fragment(_how_far, run_every=_LOOK_S)()


def _how_far() -> None:
    service = client()
    try:
        now = going(service)
    except ServiceError:
        return
    if not now:
        st.rerun()
    told = now[-1]["progress"] or {}
    total = told.get("files_total")
    done = f"{told['files_done']} of {total} files are read" if total else "Documents are being read"
    st.caption(f":material/hourglass_top: {done}; answers know only what is read by now.")


def _composer(service: Client, found: dict[str, Any] | None) -> None:
    """Where one writes, and where the question looks."""
    with st.bottom:
        _reading(service)
        with st.container(horizontal=True):
            attach(service, found)
            collections = _collections(service, found)
        question = st.chat_input(
            "Ask a follow-up" if found and found["answers"] else "Ask a question", max_chars=_LONGEST, key="question"
        )
    if question:
        _ask(service, question, found["id"] if found else None, collections=collections)


def _collections(service: Client, found: dict[str, Any] | None) -> list[str]:
    """The collections that questions look in; none means all."""
    offered = {each["name"]: each["title"] or each["name"] for each in service.get("/v1/collections")}
    if len(offered) < 2:
        return []
    kept = [name for name in (found["collections"] if found else []) if name in offered]
    key = f"collections-{found['id'] if found else 'new'}"
    if found:
        # they may have been chosen in another tab, and what this one shows is no choice until somebody makes it
        st.session_state[key] = kept
    label = f"In {len(kept)} collections" if kept else "In all collections"
    with st.popover(label, icon=":material/filter_list:", width="content"):
        picked = st.multiselect(
            "Look only in", sorted(offered), format_func=lambda name: offered[name], key=key,
            placeholder="All collections", on_change=_look_in if found else None, args=(key, found and found["id"]),
        )  # fmt: skip
    return sorted(picked)


def _look_in(key: str, conversation_id: str) -> None:
    with said():
        picked = sorted(st.session_state[key])
        client().patch(f"/v1/conversations/{conversation_id}", {"collections": picked})


def _ask(
    service: Client,
    question: str,
    conversation_id: str | None,
    *,
    replaces: str | None = None,
    collections: list[str] | None = None,
) -> None:
    """Ask, and draw the page anew with the answer in it, whose part reads on by itself."""
    with said():
        untitled = st.session_state.pop("untitled", None)
        if conversation_id and untitled == conversation_id:
            service.patch(
                f"/v1/conversations/{conversation_id}", {"title": " ".join(question.split())[:60] or "Question"}
            )
        answer_id = service.ask(
            question, conversation_id, replaces=replaces, collections=None if conversation_id else collections
        )
        if not conversation_id:
            open_conversation(service.get(f"/v1/answers/{answer_id}")["conversation_id"])
        st.rerun()
