"""Who asked, searched, opened and changed what, and when."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time

import pandas as pd
import streamlit as st

from ui.parts.session import client, said
from ui.parts.table import table

_AT_ONCE = 200


def show() -> None:
    """The page."""
    service = client()
    st.title("Audit", anchor=False)
    st.caption("It only grows. Questions and document text are not in it, only who did what to which.")
    with said():
        people = {person["id"]: person["display"] or person["name"] for person in service.get("/v1/people")}
        left, middle, right = st.columns(3)
        person = left.selectbox(
            "Person", [None, *people], format_func=lambda each: people[each] if each else "Everybody"
        )
        action = middle.text_input("Action", placeholder="answer.ask", max_chars=100).strip() or None
        since = right.date_input("Since", None)
        # where the page before ended, so that entries that come meanwhile shift nothing
        key = f"{person} {action} {since}"
        ends = st.session_state.setdefault("audit-ends", {}).setdefault(key, [None])
        rows = service.get(
            "/v1/audit", person_id=person, action=action, since=_moment(since), before=ends[-1], limit=_AT_ONCE
        )
        if not rows:
            st.info("Nothing of this kind is noted.", icon=":material/info:")
        else:
            table(_frame(rows))
        with st.container(horizontal=True):
            if len(ends) > 1 and st.button("Newer", icon=":material/chevron_left:"):
                ends.pop()
                st.rerun()
            if len(rows) == _AT_ONCE and st.button("Older", icon=":material/chevron_right:"):
                ends.append(rows[-1]["id"])
                st.rerun()
            st.link_button("Export as CSV", "/v1/audit/export?format=csv", icon=":material/download:")
            st.link_button("Export as JSON lines", "/v1/audit/export?format=jsonl", icon=":material/download:")


def _frame(rows: list[dict[str, object]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "When (UTC)": pd.to_datetime([str(row["at"]) for row in rows], utc=True),
            "Who": [row["person"] or "–" for row in rows],
            "Did": [row["action"] for row in rows],
            "To what": [row["what"] for row in rows],
            "Detail": [json.dumps(row["detail"], ensure_ascii=False) if row["detail"] else "" for row in rows],
            "Request": [row["request_id"] for row in rows],
        }
    )


def _moment(day: date | None) -> str | None:
    return datetime.combine(day, time.min, UTC).isoformat() if day else None
