"""Something that the service tells only once: a token, a link of an invitation."""

from __future__ import annotations

import streamlit as st


def keep(key: str, sentence: str, secret: str) -> None:
    """Remember it for this visit, and draw the page anew."""
    st.session_state[key] = (sentence, secret)
    st.rerun()


def shown(key: str) -> None:
    """What was kept, until the visitor says that it is copied: any click draws the page anew, and must not lose it."""
    if kept := st.session_state.get(key):
        sentence, secret = kept
        st.success(sentence)
        st.code(secret, language=None)
        if st.button("Copied", key=f"{key}-copied", help="Takes it off the page for good"):
            del st.session_state[key]
            st.rerun()
