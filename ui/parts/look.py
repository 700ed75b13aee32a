"""The few things about the page's look that Streamlit's theme has no word for."""

from __future__ import annotations

import streamlit as st

_STYLES = """<style>
[data-testid="stMainBlockContainer"] { padding-top: 4.5rem; }
[data-testid="stSidebar"] [data-testid="stButton"] button { justify-content: flex-start; text-align: left; }
[data-testid="stSidebar"] [data-testid="stButton"] button p {
  overflow: hidden; text-overflow: ellipsis; white-space: nowrap; max-width: 14rem;
}
[data-testid="stBottomBlockContainer"] { padding-bottom: 1.5rem; }
@media (max-width: 40rem) { [data-testid="stMainBlockContainer"] { padding-left: 1rem; padding-right: 1rem; } }
</style>"""


def dress() -> None:
    """Put the styles into the page; they hold nothing of any document's or person's."""
    st.html(_STYLES)
