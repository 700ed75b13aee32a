"""The web page: who is here, and which pages they have."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from ui.client import Me, ServiceDown, SignedOut
from ui.pages import account, ask, audit, documents, feedback, models, people, search, usage
from ui.parts.look import dress
from ui.parts.session import client, sign_in_again, wait_for_service

_ICON = Path(__file__).parent / "parts" / "web" / "icon.png"


def main() -> None:
    """Draw the page that this visitor chose."""
    st.set_page_config(page_title="ragapp", page_icon=str(_ICON), layout="wide")
    st.logo(str(_ICON), size="large")
    dress()
    try:
        me = client().me
    except SignedOut:
        sign_in_again()
        return
    except ServiceDown as error:
        wait_for_service(error)
        return
    pages = _pages(me)
    st.session_state["pages"] = {each.url_path or "ask": each for each in pages}
    st.navigation(pages, position="top").run()


def _pages(me: Me) -> list[StreamlitPage]:
    """Whoever may not use a page has none; the service asks again at every call."""
    found = [
        st.Page(ask.show, title="Ask", icon=":material/forum:", url_path="ask", default=True),
        st.Page(search.show, title="Search", icon=":material/search:", url_path="search"),
        st.Page(documents.show, title="Documents", icon=":material/folder_open:", url_path="documents"),
        st.Page(models.show, title="Models", icon=":material/memory:", url_path="models"),
        st.Page(usage.show, title="Usage", icon=":material/monitoring:", url_path="usage"),
    ]
    if me.is_admin:
        found += [
            st.Page(people.show, title="People", icon=":material/group:", url_path="people"),
            st.Page(feedback.show, title="Feedback", icon=":material/thumbs_up_down:", url_path="feedback"),
            st.Page(audit.show, title="Audit", icon=":material/history:", url_path="audit"),
        ]
    if not me.single_user:
        found.append(st.Page(account.show, title="Account", icon=":material/person:", url_path="account"))
    return found
