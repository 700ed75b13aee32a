"""One's own account: signing out, the password, API tokens."""

from __future__ import annotations

import streamlit as st

from ui.pages import tokens
from ui.parts.components import mount
from ui.parts.plain import plain
from ui.parts.session import client, said


def show() -> None:
    """The page."""
    service = client()
    me = service.me
    st.title("Account", anchor=False)
    groups = f", in the groups {plain(', '.join(me.groups))}" if me.groups else ""
    st.caption(f"Signed in as {plain(me.display)} ({plain(me.name)}){groups}")
    mount("account", {"csrf": me.csrf}, key="account")
    st.subheader("API tokens", anchor=False)
    with said():
        tokens.own(service)
