"""Questions, tokens, seconds and what they cost: everybody's for admins, one's own for everybody else."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from ui.parts.chart import BAD, GOOD, SOFT, bars
from ui.parts.plain import plain
from ui.parts.session import client, said
from ui.parts.table import table

_BY = {"Day": "day", "Collection": "collection", "Person": "person", "Model": "model", "Door": "door"}
_OUTCOMES = {"Answered": GOOD, "Not in the documents": SOFT, "Failed": BAD}
_DAYS = {"7 days": 7, "30 days": 30, "90 days": 90, "A year": 365}


def show() -> None:
    """The page."""
    service = client()
    st.title("Usage", anchor=False)
    with said():
        with st.container(horizontal=True, vertical_alignment="bottom"):
            days = _DAYS[st.segmented_control("Time", list(_DAYS), default="30 days", required=True) or "30 days"]
            offered = [each for each in _BY if each != "Person" or service.me.is_admin]
            by = st.segmented_control("Split by", offered, default="Day", required=True) or "Day"
        told = service.get("/v1/usage", by=_BY[by], days=days)
        total = told["total"]
        if not total["questions"]:
            st.info("Nobody asked anything in this time.", icon=":material/info:")
            return
        _figures(total)
        names: dict[str, str] = {}
        if by == "Person":
            names = {person["id"]: person["display"] or person["name"] for person in service.get("/v1/people")}
        frame = _frame(told["by"], by, names)
        st.subheader(f"Questions by {by.lower()}", anchor=False)
        bars(frame, by, _OUTCOMES, days=days, stacked=True, height=260)
        left, right = st.columns(2)
        with left:
            st.subheader("Seconds to the first token", anchor=False)
            bars(frame, by, {"First token p50": GOOD, "First token p95": SOFT}, days=days, stacked=False, height=240)
        with right:
            st.subheader("Seconds to the end", anchor=False)
            bars(frame, by, {"Whole answer p50": GOOD, "Whole answer p95": SOFT}, days=days, stacked=False, height=240)
        table(frame)
        if told["costs"]:
            _costs(told["costs"])


def _figures(total: dict[str, Any]) -> None:
    figures = {
        "Questions": f"{total['questions']:,}",
        "Not in the documents": f"{100 * total['not_found'] / total['questions']:.0f} %",
        "Tokens read": f"{total['prompt_tokens']:,}",
        "of them cached": f"{100 * total['cached_tokens'] / max(1, total['prompt_tokens']):.0f} %",
        "Tokens written": f"{total['completion_tokens']:,}",
        "First token p50 / p95": _pair(total["first_token_s"]),
        "Whole answer p50 / p95": _pair(total["total_s"]),
    }
    with st.container(horizontal=True):
        for label, value in figures.items():
            st.metric(label, value, border=True)


def _pair(spread: dict[str, float | None]) -> str:
    both = [spread["p50"], spread["p95"]]
    return " / ".join("–" if each is None else f"{each:.1f} s" for each in both)


def _frame(rows: list[dict[str, Any]], by: str, names: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            by: [names.get(row["key"], row["key"]) or "–" for row in rows],
            "Questions": [row["questions"] for row in rows],
            "Answered": [row["answered"] for row in rows],
            "Not in the documents": [row["not_found"] for row in rows],
            "Failed": [row["failed"] for row in rows],
            "Tokens read": [row["prompt_tokens"] for row in rows],
            "Tokens written": [row["completion_tokens"] for row in rows],
            "First token p50": [row["first_token_s"]["p50"] for row in rows],
            "First token p95": [row["first_token_s"]["p95"] for row in rows],
            "Whole answer p50": [row["total_s"]["p50"] for row in rows],
            "Whole answer p95": [row["total_s"]["p95"] for row in rows],
        }
    )


def _costs(costs: dict[str, Any]) -> None:
    st.subheader("What it costs", anchor=False)
    here, elsewhere = st.columns([1, 2])
    with here:
        if costs["here_usd"] is None:
            st.info(
                "Say what an hour of this machine costs (costs.hour\\_usd in the settings), and it is set beside the "
                "prices of APIs here.",
                icon=":material/info:",
            )
        else:
            st.metric(f"Here, {costs['hours']:,.1f} hours", f"${costs['here_usd']:,.2f}", border=True)
            st.caption("The machine's hours since the first of these questions, whether it was asked much or little.")
    with elsewhere:
        st.markdown("The same tokens at APIs' list prices:")
        prices = pd.DataFrame(
            {
                "API": [each["name"] for each in costs["elsewhere"]],
                "US dollars": [each["usd"] for each in costs["elsewhere"]],
                "Price read on": [each["read"] for each in costs["elsewhere"]],
                "Source": [each["source"] for each in costs["elsewhere"]],
            }
        )
        table(prices, column_config={"US dollars": st.column_config.NumberColumn(format="$ %.4f")})
        st.caption(
            plain("List prices change; they are kept in configs/prices.yaml, with where and when each was read.")
        )
