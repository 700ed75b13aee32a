"""The visitor's own conversations: find, open, rename, export, delete."""

from __future__ import annotations

from typing import Any

import streamlit as st

from ui.client import Client
from ui.parts.plain import plain
from ui.parts.session import said

_PARAMETER = "c"
"""In the page's address, so that a reload comes back to the conversation."""
_AT_ONCE = 30
_LONGEST_TITLE = 200


def chosen() -> str | None:
    """The id of the conversation that is open."""
    given = st.query_params.get(_PARAMETER, "")
    return given if given and given.replace("-", "").isalnum() and len(given) <= 64 else None


def open_conversation(conversation_id: str | None) -> None:
    """Show this one from the next run on; none begins a new one."""
    st.session_state.pop("editing", None)
    if conversation_id:
        st.query_params[_PARAMETER] = conversation_id
    else:
        st.query_params.pop(_PARAMETER, None)


def conversation_list(service: Client) -> None:
    """In the sidebar, the last used first."""
    with st.sidebar:
        if st.button("New conversation", icon=":material/add:", width="stretch", key="new-conversation"):
            open_conversation(None)
            st.rerun()
        like = st.text_input(
            "Find a conversation", placeholder="Find a conversation", label_visibility="collapsed", max_chars=200,
            key="find-conversation",
        )  # fmt: skip
        shown = st.session_state.setdefault("conversations-shown", _AT_ONCE)
        found = service.get("/v1/conversations", like=like, limit=min(200, shown + 1))
        if not found:
            st.caption("Nothing found." if like else "Your conversations will be listed here.")
        for row in found[:shown]:
            is_open = row["id"] == chosen()
            if st.button(
                plain(row["title"]), key=f"open-{row['id']}", width="stretch",
                type="secondary" if is_open else "tertiary",
            ):  # fmt: skip
                open_conversation(row["id"])
                st.rerun()
        if len(found) > shown and st.button("Show more", key="more-conversations", type="tertiary"):
            st.session_state["conversations-shown"] = shown + _AT_ONCE
            st.rerun()


def conversation_menu(service: Client, found: dict[str, Any]) -> None:
    """The open conversation's title and what can be done with it."""
    row = st.container(horizontal=True, wrap=False, vertical_alignment="center")
    row.markdown(f"**{plain(found['title'])}**", width="stretch")
    with row.popover("More", type="tertiary", width="content", help="Rename, export, delete"):
        with st.form(f"rename-{found['id']}", border=False):
            wording = st.text_input("Title", found["title"], max_chars=_LONGEST_TITLE)
            if st.form_submit_button("Rename", width="stretch") and wording.strip():
                with said():
                    service.patch(f"/v1/conversations/{found['id']}", {"title": " ".join(wording.split())})
                    st.rerun()
        st.link_button(
            "Export as Markdown", f"/v1/conversations/{found['id']}/export", icon=":material/download:", width="stretch"
        )
        if st.button("Delete", icon=":material/delete:", width="stretch", key=f"delete-{found['id']}"):
            _delete(service, found)


@st.dialog("Delete this conversation?")
def _delete(service: Client, found: dict[str, Any]) -> None:
    st.write(
        f"“{plain(found['title'])}” goes with its questions, answers and attached files. It can't be brought back."
    )
    yes, no = st.columns(2)
    if yes.button("Delete", type="primary", width="stretch", key="really-delete"):
        with said():
            service.delete(f"/v1/conversations/{found['id']}")
            open_conversation(None)
            st.rerun()
    if no.button("Keep", width="stretch", key="keep"):
        st.rerun()
