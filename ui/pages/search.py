"""The retriever alone: what a question would find, and what each stage thought of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

import streamlit as st

from ui.client import Client
from ui.parts.components import mount
from ui.parts.session import client, said

_MOST = 50
_TYPES = ("pdf", "docx", "pptx", "xlsx", "md", "html", "txt", "eml", "csv")


def show() -> None:
    """The page."""
    service = client()
    st.title("Search", anchor=False)
    st.caption("The passages that an answer would rest on, in the same order, with what each stage thought of them.")
    with said(), st.form("search", border=False):
        query = st.text_input("What to look for", max_chars=20_000, placeholder="notice period")
        filters = _filters(service)
        st.form_submit_button("Search", type="primary", icon=":material/search:")
    if not query.strip():
        return
    with said(), st.spinner("Searching…"):
        found = service.get("/v1/search", query=query, **filters)["passages"]
        if not found:
            st.info("Nothing was found.", icon=":material/info:")
            return
        mount("found", {"passages": found}, key="found")


def _filters(service: Client) -> dict[str, Any]:
    with st.expander("Filters", icon=":material/filter_list:"):
        offered = {each["name"]: each["title"] or each["name"] for each in service.get("/v1/collections")}
        left, right = st.columns(2)
        collections = left.multiselect(
            "Collections", sorted(offered), format_func=lambda name: offered[name], placeholder="All"
        )
        types = right.multiselect("File types", _TYPES, accept_new_options=True, placeholder="All")
        since = left.date_input("Not older than", None)
        until = right.date_input("Not newer than", None)
        limit = left.slider("Passages", 1, _MOST, 10)
        seen_by = None
        if service.me.is_admin and not service.me.single_user:
            people = {person["id"]: person["display"] or person["name"] for person in service.get("/v1/people")}
            seen_by = right.selectbox(
                "As seen by", [None, *people], format_func=lambda each: people[each] if each else "Me",
                help="What this person would find. The search is noted in the audit.",
            )  # fmt: skip
    return {
        "collections": collections or None,
        "file_types": types or None,
        "since": _moment(since, time.min),
        "until": _moment(until, time.max),
        "limit": limit,
        "as_person": seen_by,
    }


def _moment(day: date | None, at: time) -> str | None:
    return datetime.combine(day, at, UTC).isoformat() if day else None
