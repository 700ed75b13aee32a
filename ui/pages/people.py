"""Accounts, groups and everybody's tokens, for admins."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from ui.client import Client, part
from ui.pages import tokens
from ui.parts import secret
from ui.parts.plain import plain
from ui.parts.session import client, said
from ui.parts.table import table

_ROLES = ("reader", "admin")


def show() -> None:
    """The page."""
    service = client()
    with said():
        st.title("People", anchor=False)
        parts = {"Accounts": _accounts, "Groups": _groups, "API tokens": tokens.everybodys}
        chosen = st.segmented_control(
            "Part", list(parts), default="Accounts", label_visibility="collapsed", required=True
        )
        parts[chosen or "Accounts"](service)


def _accounts(service: Client) -> None:
    if service.me.single_user:
        st.info("Nobody signs in here: this machine's user is the admin. Start with --accounts for people.")
    found = service.get("/v1/people")
    groups = sorted(group["name"] for group in service.get("/v1/groups") if group["name"] != "everyone")
    collections = sorted(each["name"] for each in service.get("/v1/collections"))
    secret.shown("invited")
    for person in found:
        locked = "" if person["active"] else " :red-badge[locked]"
        admin = " :blue-badge[admin]" if person["role"] == "admin" else ""
        label = f"**{plain(person['display'] or person['name'])}**{admin}{locked} {plain(', '.join(person['groups']))}"
        with st.expander(label):
            _account(service, person, groups, collections)
    with st.expander("New account", icon=":material/person_add:"), st.form("new-person", border=False):
        name = st.text_input("Name to sign in with", max_chars=200)
        display = st.text_input("Name to show", max_chars=200)
        role = st.selectbox("Role", _ROLES)
        chosen = st.multiselect("Groups", groups, accept_new_options=True)
        if st.form_submit_button("Make"):
            with said():
                body: dict[str, Any] = {"name": name.strip(), "role": role, "groups": chosen}
                if display.strip():
                    body["display"] = display.strip()
                _keep_link(service.post("/v1/people", body))


def _account(service: Client, person: dict[str, Any], groups: list[str], collections: list[str]) -> None:
    own = f"/v1/people/{part(person['id'])}"
    seen = person["signed_in"][:16].replace("T", " ") + " UTC" if person["signed_in"] else "never"
    by = "by the company's sign-in" if person["elsewhere"] else "by password"
    way = by if person["elsewhere"] or person["has_password"] else "has not set a password yet"
    st.caption(f"{plain(person['name'])} · signed in last: {seen} · {way}")
    with st.form(f"person-{person['id']}", border=False):
        role = st.selectbox("Role", _ROLES, _ROLES.index(person["role"]))
        member = st.multiselect(
            "Groups", sorted({*groups, *person["groups"]}), person["groups"], accept_new_options=True
        )
        curates = st.multiselect(
            "Looks after the collections", sorted({*collections, *person["curates"]}), person["curates"]
        )
        active = st.toggle("May sign in", person["active"])
        if st.form_submit_button("Save", type="primary"):
            with said():
                service.patch(own, {"role": role, "groups": member, "curates": curates, "active": active})
                st.rerun()
    end = st.checkbox("With a new link, sign out and revoke API tokens at once", key=f"end-{person['id']}")
    with st.container(horizontal=True):
        if st.button("New link to set a password", key=f"link-{person['id']}", icon=":material/link:"):
            _keep_link(service.post(f"{own}/link", {"end_sessions": end, "end_tokens": end}))
        if st.button("Delete", key=f"forget-{person['id']}", icon=":material/delete:"):
            _forget(service, person)


@st.dialog("Delete this account?")
def _forget(service: Client, person: dict[str, Any]) -> None:
    st.write(f"{plain(person['display'] or person['name'])} goes with all questions, answers, files and tokens.")
    if st.button("Delete for good", type="primary", key="really-forget"):
        with said():
            service.delete(f"/v1/people/{part(person['id'])}")
            st.rerun()


def _keep_link(invited: dict[str, Any]) -> None:
    name = plain(invited["person"]["name"])
    sentence = f"Give {name} this link; it works once, for seven days, and is shown only now."
    secret.keep("invited", sentence, invited["link"])


def _groups(service: Client) -> None:
    found = service.get("/v1/groups")
    groups = {
        "Group": [group["name"] for group in found],
        "People": [group["people"] for group in found],
        "Documents it sees": [group["documents"] for group in found],
    }
    table(pd.DataFrame(groups))
    left, right = st.columns(2)
    with left.form("new-group", clear_on_submit=True):
        name = st.text_input("New group", max_chars=200)
        if st.form_submit_button("Make"):
            with said():
                service.post("/v1/groups", {"name": name.strip()})
                st.rerun()
    with right.form("drop-group"):
        gone = st.selectbox("Group", [group["name"] for group in found if group["name"] != "everyone"])
        if st.form_submit_button("Take everybody out and forget it") and gone:
            with said():
                service.delete(f"/v1/groups/{part(gone)}")
                st.rerun()
