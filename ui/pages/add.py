"""Sending files, and the collections that they go into."""

from __future__ import annotations

from typing import Any

import streamlit as st

from ui.client import Client, part
from ui.parts.components import mount
from ui.parts.plain import plain
from ui.parts.session import said

_EVERYONE = "everyone"


def show(service: Client) -> None:
    """Choose a collection, drop files."""
    me = service.me
    mine = [each for each in service.get("/v1/collections") if each["may_curate"]]
    names = {each["name"]: each["title"] or each["name"] for each in mine}
    if me.single_user:
        names.setdefault("default", "default")
    if not names:
        st.info("Make a collection first: it says who sees what is put into it.", icon=":material/info:")
    else:
        chosen = st.selectbox("Collection", sorted(names), format_func=names.__getitem__, key="add-to")
        ready, hint = _seen_by(mine, chosen, me.single_user)
        data = {
            "url": "/v1/documents",
            "fields": {"collection": chosen},
            "single": False,
            "csrf": me.csrf,
            "hint": hint,
            "disabled": not ready,
        }
        sent = mount("upload", data, key="upload", sent=lambda: None)
        if sent.sent:
            st.rerun()
    for each in mine:
        if each["name"] == st.session_state.get("add-to"):
            _change(service, each)
    if me.is_admin:
        _new(service)


def _seen_by(mine: list[dict[str, Any]], name: str, single_user: bool) -> tuple[bool, str]:
    groups = next((each["groups"] for each in mine if each["name"] == name), None)
    if groups:
        return True, f"Will be seen by: {', '.join(groups)}."
    if single_user:
        return True, "PDF, Word, PowerPoint, Excel, Markdown, HTML, mail, archives and more; up to 100 files at once."
    return False, "Nobody has chosen who sees this collection; do so below first."


def _known(service: Client, more: list[str]) -> list[str]:
    return sorted({group["name"] for group in service.get("/v1/groups")} | {_EVERYONE} | set(more))


def _change(service: Client, row: dict[str, Any]) -> None:
    if service.me.single_user:
        return
    with st.expander(f"Who sees what is put into {plain(row['name'])}", icon=":material/group:"):
        groups = st.multiselect(
            "Groups", _known(service, row["groups"] or []), row["groups"] or [], key=f"groups-{row['name']}",
            accept_new_options=service.me.is_admin,
        )  # fmt: skip
        st.caption("Holds for what is put in from now on; what is in keeps its groups.")
        if st.button("Save", disabled=not groups, key=f"save-{row['name']}"):
            with said():
                service.put(f"/v1/collections/{part(row['name'])}", {"groups": groups, "title": row["title"]})
                st.rerun()


def _new(service: Client) -> None:
    with (
        st.expander("New collection", icon=":material/create_new_folder:"),
        st.form("new-collection", border=False, clear_on_submit=True),
    ):
        name = st.text_input("Name", max_chars=200)
        default = [_EVERYONE] if service.me.single_user else []
        groups = st.multiselect("Seen by", _known(service, []), default, accept_new_options=True)
        if st.form_submit_button("Make"):
            if not name.strip() or not groups:
                st.error("Give it a name, and choose at least one group that sees it.")
                return
            with said():
                service.put(f"/v1/collections/{part(name.strip())}", {"groups": groups})
                st.rerun()
