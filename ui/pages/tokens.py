"""API tokens: what programs sign in with."""

from __future__ import annotations

from typing import Any

import streamlit as st

from ui.client import Client, part
from ui.parts import secret
from ui.parts.plain import plain
from ui.parts.session import said

_SCOPES = {"ask": "Ask and search", "curate": "Bring documents in", "admin": "Administer"}


def own(service: Client) -> None:
    """The visitor's own tokens, and a new one."""
    _shown(service, {}, service.get("/v1/tokens"))


def everybodys(service: Client) -> None:
    """All tokens there are, and a new one of the visitor's own."""
    people = {person["id"]: person["display"] or person["name"] for person in service.get("/v1/people")}
    _shown(service, people, service.get("/v1/tokens", everybody="true"))


def _shown(service: Client, people: dict[str, str], found: list[dict[str, Any]]) -> None:
    secret.shown("token")
    if not found:
        st.info("There are no API tokens. Programs sign in with one.", icon=":material/key:")
    for token in found:
        words, away = st.columns([8, 1], vertical_alignment="center")
        state = ":gray-badge[revoked]" if token["revoked"] else f"until {(token['expires'] or 'ever')[:10]}"
        owner = f"{plain(people[token['person_id']])} · " if token["person_id"] in people else ""
        scopes = ", ".join(_SCOPES[scope] for scope in token["scopes"])
        words.markdown(f"**{plain(token['name'])}** {owner}{scopes} · {state}")
        if not token["revoked"] and away.button("Revoke", key=f"revoke-{token['id']}"):
            service.delete(f"/v1/tokens/{part(token['id'])}")
            st.rerun()
    with st.expander("New token", icon=":material/add:"), st.form("new-token", border=False):
        name = st.text_input("What it is for", max_chars=200)
        scopes = st.multiselect("May", list(_SCOPES), ["ask"], format_func=_SCOPES.__getitem__)
        days = st.number_input("Days", 1, 366, 90)
        if st.form_submit_button("Make"):
            with said():
                made = service.post("/v1/tokens", {"name": name.strip(), "scopes": scopes, "days": int(days)})
                secret.keep("token", "Copy it now; it is not shown again.", made["secret"])
