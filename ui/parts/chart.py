"""Bars by day or by name, in the page's own colours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import altair as alt
import pandas as pd
import streamlit as st

GOOD, SOFT, BAD = "#2f81f7", "#a0a8b2", "#d1242f"


def bars(frame: pd.DataFrame, by: str, colours: dict[str, str], *, days: int, stacked: bool, height: int) -> None:
    """A bar for each row and each column in `colours`; where `by` is Day, all of the last `days` have a place."""
    shown = list(colours)
    long = frame.melt(by, shown, "what", "figure")
    if by == "Day":
        today = datetime.now(UTC).date()
        whole = [str(today - timedelta(days=ago)) for ago in range(days - 1, -1, -1)]
        across = alt.X("Day:O", scale=alt.Scale(domain=whole), title=None, axis=_axis(whole))
    else:
        across = alt.X(f"{by}:N", title=None, axis=alt.Axis(labelAngle=0, labelLimit=160))
    chart = (
        alt.Chart(long)
        .mark_bar(cornerRadiusTopLeft=2, cornerRadiusTopRight=2, width={"band": 0.9})
        .encode(
            x=across,
            y=alt.Y("figure:Q", title=None, stack="zero" if stacked else None, axis=alt.Axis(tickMinStep=1)),
            color=alt.Color(
                "what:N",
                scale=alt.Scale(domain=shown, range=list(colours.values())),
                legend=alt.Legend(orient="top", title=None),
            ),
            tooltip=[by, alt.Tooltip("what:N", title=" "), alt.Tooltip("figure:Q", title="  ", format=",.2~f")],
            **({} if stacked else {"xOffset": alt.XOffset("what:N", sort=shown)}),
        )
        .properties(height=height)
    )
    st.altair_chart(chart)


def _axis(days: list[str]) -> alt.Axis:
    """So many labels as can be read."""
    every = max(1, len(days) // 8)
    return alt.Axis(labelAngle=0, values=days[(len(days) - 1) % every :: every], ticks=False)
