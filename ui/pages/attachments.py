"""Files that belong to one conversation."""

from __future__ import annotations

from typing import Any

import streamlit as st

from ui.client import Client
from ui.pages.conversations import open_conversation
from ui.parts.components import mount
from ui.parts.plain import plain
from ui.parts.session import client, said

_LOOK_S = 1.5


def attach(service: Client, found: dict[str, Any] | None) -> None:
    """The way to attach a file, and what is attached."""
    if found is None:
        if st.button("Attach a file", icon=":material/attach_file:", width="content"):
            with said():
                begun = service.post("/v1/conversations", {"title": "New conversation"})
                st.session_state["untitled"] = begun["id"]
                st.session_state["attaching"] = begun["id"]
                open_conversation(begun["id"])
                st.rerun()
        return
    held = service.get(f"/v1/conversations/{found['id']}/files")
    label = f"{len(held)} attached" if held else "Attach a file"
    with st.popover(label, icon=":material/attach_file:", width="content"):
        data = {
            "url": f"/v1/conversations/{found['id']}/files",
            "fields": {},
            "single": True,
            "csrf": service.me.csrf,
            "hint": "Only this conversation finds what is in it.",
            "disabled": False,
        }
        mount("upload", data, key=f"attach-{found['id']}", sent=lambda: None)
        reading = any(file["state"] is None for file in held)
        st.fragment(_held, run_every=_LOOK_S if reading else None)(found["id"])


def _held(conversation_id: str) -> None:
    service = client()
    with said():
        for file in service.get(f"/v1/conversations/{conversation_id}/files"):
            name, away = st.columns([4, 1], vertical_alignment="center")
            if file["state"] is None:
                name.markdown(f"{plain(file['name'])} :gray[— being read…]")
            elif file["state"] == "live":
                name.markdown(f"{plain(file['name'])} :green[— ready]")
            else:
                name.markdown(f"{plain(file['name'])} :red[— {plain(file['reason'])}]")
            if away.button("Remove", key=f"detach-{file['document_id']}", type="tertiary"):
                service.delete(f"/v1/conversations/{conversation_id}/files/{file['document_id']}")
                st.rerun()
