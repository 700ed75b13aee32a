"""Rows for people: no empty cells drawn below the last one, no "None", moments that can be read."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from ui.parts.unseen import seen

_MOST_ROWS = 14
_TALL = 560


def table(frame: pd.DataFrame, **more: Any) -> Any:
    """Show a frame; `more` is st.dataframe's own. Columns of moments are shown in UTC, to the minute."""
    moments = {
        name: st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm", timezone="UTC")
        for name in frame.columns
        if isinstance(frame[name].dtype, pd.DatetimeTZDtype)
    }
    # what isn't seen in a name would have it look like another
    words = [name for name in frame.columns if not pd.api.types.is_numeric_dtype(frame[name]) and name not in moments]
    shown = frame.assign(**{name: frame[name].map(_seen) for name in words})
    return st.dataframe(
        shown,
        hide_index=True,
        placeholder="–",
        height="content" if len(frame) <= _MOST_ROWS else _TALL,
        column_config=moments | more.pop("column_config", {}),
        **more,
    )


def _seen(cell: Any) -> Any:
    return seen(cell) if isinstance(cell, str) else cell
