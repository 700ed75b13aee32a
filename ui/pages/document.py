"""One document: what is known of it, its chunks where they stand, who sees it, and removing it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from ui.client import Client, ServiceError, part
from ui.parts.components import mount
from ui.parts.counts import number_of
from ui.parts.plain import plain
from ui.parts.session import said


def look(service: Client, document_id: str) -> None:
    """The page of one document."""
    if st.button("All documents", icon=":material/arrow_back:", type="tertiary"):
        _back()
    try:
        row = service.get(f"/v1/documents/{part(document_id)}")
    except ServiceError as error:
        if error.status not in (404, 422):
            raise
        st.info("There is no such document, or you may not see it.", icon=":material/info:")
        return
    st.title(plain(row["title"]), anchor=False)
    _facts(row)
    with st.container(horizontal=True):
        st.link_button("Original", f"/v1/documents/{part(document_id)}/original", icon=":material/download:")
        if row["may_change"]:
            if row["reason"] and st.button("Try again", icon=":material/refresh:"):
                service.post(f"/v1/documents/{part(document_id)}/retry")
                st.toast("It will be read again.")
            if st.button("Who sees it", icon=":material/group:"):
                _groups(service, row)
            if row["revision"] > 1 and st.button("Remove old text", icon=":material/ink_eraser:"):
                _redact(service, row)
            if st.button("Remove", icon=":material/delete:"):
                _remove(service, row)
    if row["state"] == "live":
        data = {name: row[name] for name in ("id", "revision", "title", "type", "pages")}
        mount("viewer", data, key=f"viewer-{row['id']}-{row['revision']}")


def _facts(row: dict[str, Any]) -> None:
    if row["reason"]:
        st.warning(plain(row["reason"]), icon=":material/warning:")
    told = [
        row["source"],
        f"collection {row['collection']}",
        number_of(row["pages"], "page") if row["pages"] else "",
        number_of(row["chunks"], "chunk"),
        f"dated {row['dated'][:10]}" if row["dated"] else "",
        f"changed {row['changed'][:10]}" if row["changed"] else "",
        f"from {row['origin']}" if row["origin"] else "",
        f"seen by {', '.join(row['groups'])}" if row["groups"] else "",
        "read by an older parser" if row["stale"] else "",
    ]
    st.caption(" · ".join(plain(each) for each in told if each))


@st.dialog("Who sees it")
def _groups(service: Client, row: dict[str, Any]) -> None:
    known = sorted({group["name"] for group in service.get("/v1/groups")} | set(row["groups"]))
    chosen = st.multiselect("Groups", known, row["groups"], accept_new_options=service.me.is_admin)
    st.caption("Holds from the next question on. What lies in it (mails, archives) follows.")
    if st.button("Save", type="primary", disabled=not chosen):
        with said():
            service.put(f"/v1/documents/{part(row['id'])}/groups", {"groups": chosen})
            st.rerun()


@st.dialog("Remove this document?")
def _remove(service: Client, row: dict[str, Any]) -> None:
    with said():
        planned = service.get(f"/v1/documents/{part(row['id'])}/removal")
        st.markdown(f"**{plain(row['title'])}**")
        if planned["members"]:
            st.write(f"{planned['members']} more that lie in it go too.")
        if planned["shared"]:
            st.write("The file itself stays, since another document has the same bytes.")
        if planned["followed"]:
            names = ", ".join(plain(name) for name in planned["followed"])
            st.warning(f"The source {names} would bring it in again at its next run.", icon=":material/warning:")
        if st.button("Remove for good", type="primary"):
            service.delete(f"/v1/documents/{part(row['id'])}")
            _back()


@st.dialog("Remove the old text of this document?")
def _redact(service: Client, row: dict[str, Any]) -> None:
    with said():
        planned = service.get(f"/v1/documents/{part(row['id'])}/redaction")
        st.markdown(f"**{plain(row['title'])}**")
        # how many there are is not told to whoever isn't an admin
        answers = "answers" if planned["answers"] is None else number_of(planned["answers"], "answer")
        st.write(
            f"It goes for good: {number_of(planned['revisions'], 'earlier version')}, and what {answers} kept of it. "
            "The newest version stays."
        )
        if planned["shared"]:
            st.write("An older file itself stays where a document has the same bytes now.")
        st.caption("Backups that were made before hold the old text still.")
        place = st.empty()
        if place.button("Remove for good", type="primary"):
            service.post(f"/v1/documents/{part(row['id'])}/redaction")
            # in the button's place: there is nothing more to remove
            place.success("The old text was removed.", icon=":material/check:")


def _back() -> None:
    st.query_params.pop("d", None)
    st.session_state.pop("documents-table", None)
    st.rerun()
