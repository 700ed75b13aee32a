"""The few things about the page's look that Streamlit's theme has no word for."""

from __future__ import annotations

import streamlit as st

_STYLES = """<style>
[data-testid="stMainBlockContainer"] { padding: 4.5rem clamp(1rem, 4vw, 3.5rem) 2rem; max-width: 92rem; }
[data-testid="stSidebar"] [data-testid="stButton"] button,
[data-testid="stSidebar"] [data-testid="stButton"] button > * {
  justify-content: flex-start; text-align: left; width: 100%;
}
[data-testid="stSidebar"] [data-testid="stButton"] button p {
  overflow: hidden; text-overflow: ellipsis; white-space: nowrap; max-width: 14rem;
}
[data-testid="stCaptionContainer"] { color: inherit; opacity: 0.78; }
[data-testid="stMain"] [data-testid="stButton"] button p { text-align: left; }
[data-testid="stBottomBlockContainer"] { padding: 0.5rem clamp(1rem, 4vw, 3.5rem) 1.25rem; max-width: 92rem; }
</style>"""


def dress() -> None:
    """Put the styles into the page; they hold nothing of any document's or person's."""
    st.html(_STYLES)
