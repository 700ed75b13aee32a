"""Folders and object stores that are followed: what a run would do, then the run."""

from __future__ import annotations

from typing import Any

import streamlit as st

from ui.client import Client, part
from ui.pages.jobs import frame_of
from ui.parts.plain import plain
from ui.parts.session import said
from ui.parts.table import table


def show(service: Client) -> None:
    """The sources that one looks after."""
    found = service.get("/v1/sources")
    if not found:
        st.info(
            "No folder or store is followed yet. A source keeps what is in here in line with what is there.",
            icon=":material/sync:",
        )
    for row in found:
        with st.container(border=True):
            _one(service, row)
    if service.me.is_admin:
        _new(service)


def _one(service: Client, row: dict[str, Any]) -> None:
    st.markdown(f"**{plain(row['name'])}** {plain(row['url'])}")
    last = row["last_job"]
    st.caption(
        f"Collection {plain(row['collection'])}, seen by {plain(', '.join(row['groups']))}. "
        + (f"Last run {last['started'][:16].replace('T', ' ')} UTC: {plain(last['state'])}." if last else "Never run.")
    )
    name = part(row["name"])
    with st.container(horizontal=True):
        if st.button("What would a run do?", key=f"preview-{row['name']}", icon=":material/visibility:"):
            with st.spinner("Looking at what changed…"):
                st.session_state[f"previewed-{row['name']}"] = service.post(f"/v1/sources/{name}/preview")
        if st.button("Run", key=f"run-{row['name']}", icon=":material/sync:", disabled=bool(row["running_job"])):
            _run(service, row, remove_gone=False)
        if service.me.is_admin and st.button("Follow no longer", key=f"drop-{row['name']}", icon=":material/link_off:"):
            _drop(service, row)
    if previewed := st.session_state.get(f"previewed-{row['name']}"):
        _preview(service, row, previewed)


def _preview(service: Client, row: dict[str, Any], previewed: dict[str, Any]) -> None:
    counts = ", ".join(f"{number} {action}" for action, number in previewed["counts"].items() if number)
    st.markdown(f"A run now: {plain(counts) or 'nothing to do'}. Nothing was done yet.")
    if previewed["withheld"]:
        st.warning(
            f"{plain(str(previewed['withheld']))} Documents that are gone there stay here unless you say so.",
            icon=":material/warning:",
        )
        if st.button("Run, and remove what is gone", key=f"remove-{row['name']}"):
            _run(service, row, remove_gone=True)
    if previewed["files"]:
        table(frame_of(previewed["files"]))


def _run(service: Client, row: dict[str, Any], *, remove_gone: bool) -> None:
    service.post(f"/v1/sources/{part(row['name'])}/run", {"remove_gone": remove_gone})
    st.session_state.pop(f"previewed-{row['name']}", None)
    st.rerun()


@st.dialog("Follow it no longer?")
def _drop(service: Client, row: dict[str, Any]) -> None:
    st.write(f"{plain(row['name'])} is not looked at any more. Its documents stay until they are removed.")
    if st.button("Follow no longer", type="primary", key="really-drop"):
        with said():
            service.delete(f"/v1/sources/{part(row['name'])}")
            st.rerun()


def _new(service: Client) -> None:
    with st.expander("Follow a folder or a store", icon=":material/add:"), st.form("new-source", border=False):
        left, right = st.columns(2)
        name = left.text_input("Name", placeholder="policies", max_chars=200)
        url = right.text_input(
            "Where", placeholder="/srv/share/policies, s3://bucket/prefix, sftp://host/path", max_chars=4096,
            help="As the service's machine sees it. Credentials come from its environment, never from here.",
        )  # fmt: skip
        collection = left.text_input("Collection", "default", max_chars=200)
        groups = right.multiselect(
            "Seen by", sorted({group["name"] for group in service.get("/v1/groups")} | {"everyone"}),
            accept_new_options=True, placeholder="The collection's groups",
        )  # fmt: skip
        include = left.text_input("Only", placeholder="**/*.pdf, **/*.docx", help="Patterns, separated by commas.")
        exclude = right.text_input("Not", placeholder="drafts/**", help="Patterns, separated by commas.")
        if st.form_submit_button("Follow"):
            with said():
                service.post(
                    "/v1/sources",
                    {
                        "name": name.strip(),
                        "url": url.strip(),
                        "collection": collection.strip() or "default",
                        "groups": groups or None,
                        "include": _patterns(include),
                        "exclude": _patterns(exclude),
                    },
                )
                st.rerun()


def _patterns(given: str) -> list[str]:
    return [each.strip() for each in given.split(",") if each.strip()]
