"""Rows for people: no empty cells drawn below the last one, no "None", moments that can be read."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

_MOST_ROWS = 14
_TALL = 560


def table(frame: pd.DataFrame, **more: Any) -> Any:
    """Show a frame; `more` is st.dataframe's own. Columns of moments are shown in UTC, to the minute."""
    moments = {
        name: st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm", timezone="UTC")
        for name in frame.columns
        if isinstance(frame[name].dtype, pd.DatetimeTZDtype)
    }
    return st.dataframe(
        frame,
        hide_index=True,
        placeholder="–",
        height="content" if len(frame) <= _MOST_ROWS else _TALL,
        column_config=moments | more.pop("column_config", {}),
        **more,
    )
