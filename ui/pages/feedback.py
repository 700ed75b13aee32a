"""What people thought of answers, the worst first, with what those rested on."""

from __future__ import annotations

from typing import Any

import streamlit as st

from ui.parts.components import mount
from ui.parts.plain import plain
from ui.parts.session import client, said
from ui.parts.unseen import seen

_CHOICES = {"Did not help": False, "Helped": True, "All": None}


def show() -> None:
    """The page."""
    service = client()
    st.title("Feedback", anchor=False)
    chosen = st.segmented_control("Show", list(_CHOICES), default="Did not help", label_visibility="collapsed")
    with said():
        good = _CHOICES[chosen or "All"]
        found = service.get("/v1/feedback", good=None if good is None else str(good).lower())
        people = {person["id"]: person["display"] or person["name"] for person in service.get("/v1/people")}
        if not found:
            st.info("Nobody has said anything of this kind yet.", icon=":material/info:")
        for given in found:
            _one(given, people.get(given["person_id"], "somebody who has left"))


def _one(given: dict[str, Any], who: str) -> None:
    icon = ":material/thumb_up:" if given["good"] else ":material/thumb_down:"
    with st.expander(plain(given["question"])[:200], icon=icon):
        st.caption(f"{plain(who)} · {given['created'][:16].replace('T', ' ')} UTC")
        if given["reason"]:
            st.markdown("**What they said**")
            st.text(seen(given["reason"]))
        st.markdown("**The answer**")
        if given["withheld"]:
            st.info("It rests on documents that your groups do not see.", icon=":material/lock:")
            return
        st.text(seen(given["answer"] or "There was none."))
        if given["passages"]:
            st.markdown("**What was found for it**")
            mount("found", {"passages": given["passages"]}, key=f"feedback-{given['answer_id']}")
