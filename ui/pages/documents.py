"""Documents: what is in, what became of each file, and how more come in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from ui.client import Client
from ui.pages import add, jobs, sources
from ui.pages.document import look
from ui.parts.counts import number_of
from ui.parts.session import client, said
from ui.parts.table import table

_AT_ONCE = 100
_WIDTHS = {"Title": "medium", "Why": "medium"}
_STATES = {"All": None, "Searchable": "live", "Not readable": "failed"}


def show() -> None:
    """The page: for readers the list of what they may see, for curators also what changes it."""
    service = client()
    with said():
        if document_id := st.query_params.get("d"):
            look(service, document_id)
            return
        st.title("Documents", anchor=False)
        if not service.me.is_curator:
            _files(service)
            return
        sections: dict[str, Callable[[Client], None]] = {
            "Files": _files,
            "Add": add.show,
            "Sources": sources.show,
            "Jobs": jobs.show,
        }
        chosen = st.segmented_control(
            "Part", list(sections), default="Files", key="documents-part", label_visibility="collapsed", required=True
        )
        jobs.running(service)
        sections[chosen or "Files"](service)


def _files(service: Client) -> None:
    """The list, a page at a time, however many there are."""
    offered = {each["name"]: each["title"] or each["name"] for each in service.get("/v1/collections")}
    row = st.container(horizontal=True, vertical_alignment="bottom")
    find = row.text_input("Find", placeholder="Part of a name or title", max_chars=200, width=380)
    names = {"": "All collections"} | offered
    collection = row.selectbox("Collection", list(names), format_func=names.__getitem__, width=260)
    state = None
    if service.me.is_curator:
        chosen = row.segmented_control("State", list(_STATES), default="All", required=True, width="content")
        state = _STATES[chosen or "All"]
    # the id after which a page begins, page by page, so that going back needs no counting
    begins = st.session_state.setdefault("documents-begins", {}).setdefault(f"{find}\0{collection}\0{state}", [""])
    told = service.get("/v1/documents", find=find, collection=collection, state=state, after=begins[-1], limit=_AT_ONCE)
    if not told["documents"]:
        _nothing(service, bool(find or collection or state))
        return
    st.caption(number_of(told["total"], "document"))
    rows = told["documents"]
    wide = {name: st.column_config.TextColumn(width=width) for name, width in _WIDTHS.items()}
    # what is marked is a row of the table as it was drawn last, and since then documents may have come or gone
    drawn = st.session_state.get("documents-drawn", [])
    picked = table(
        _frame(rows), on_select="rerun", selection_mode="single-row", key="documents-table", column_config=wide
    )
    st.session_state["documents-drawn"] = [row["id"] for row in rows]
    st.caption("Choose a row to look into a document.")
    _turn(begins, told["next"])
    if (marked := picked.selection.rows) and marked[0] < len(drawn):
        st.query_params["d"] = drawn[marked[0]]
        st.rerun()


def _turn(begins: list[str], following: str | None) -> None:
    with st.container(horizontal=True):
        if len(begins) > 1 and st.button("Page before", icon=":material/chevron_left:"):
            begins.pop()
            st.rerun()
        if following and st.button("Next page", icon=":material/chevron_right:"):
            begins.append(following)
            st.rerun()


def _nothing(service: Client, filtered: bool) -> None:
    if filtered:
        st.info("Nothing is called that, or is in that state.", icon=":material/info:")
    elif service.me.is_curator:
        st.info("There are no documents yet. Choose “Add” above to send files.", icon=":material/upload_file:")
    else:
        st.info("There are no documents that you may see; ask whoever looks after them.", icon=":material/info:")


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    states = {"live": "searchable", "failed": "not readable"}
    frame = pd.DataFrame(
        {
            "Title": [row["title"] for row in rows],
            "State": [states[row["state"]] for row in rows],
            "Why": [row["reason"] for row in rows],
            "Collection": [row["collection"] for row in rows],
            "Type": [row["type"] for row in rows],
            "Pages": pd.array([row["pages"] for row in rows], dtype="Int64"),
            "Chunks": [row["chunks"] for row in rows],
            "Size": [size(row["size"]) for row in rows],
            "Changed": pd.to_datetime([row["changed"] for row in rows], utc=True),
            "Where it is": [row["source"] for row in rows],
        }
    )
    return frame if any(frame["Why"]) else frame.drop(columns="Why")


def size(count: int) -> str:
    """Bytes for people."""
    value = float(count)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"
