"""What is loaded and how it fares, now."""

from __future__ import annotations

import streamlit as st

from ui.parts.plain import plain
from ui.parts.session import client, said

_LOOK_S = 2
_STATES = {
    "ready": (":green-badge[ready]", "Questions are answered."),
    "loading": (":blue-badge[loading]", "The models are being loaded; questions wait."),
    "restarting": (":orange-badge[restarting]", "The engine died and is being started again; questions wait."),
    "failed": (":red-badge[failed]", "The engine does not start."),
}


def show() -> None:
    """The page."""
    st.title("Models", anchor=False)
    _now()


@st.fragment(run_every=_LOOK_S)
def _now() -> None:
    with said():
        told = client().get("/v1/models")
        engine = told["engine"]
        badge, sentence = _STATES[engine["state"]]
        st.markdown(f"{badge} {plain(engine['detail']) or sentence}")
        figures = {
            "Being answered": engine["running"],
            "Waiting": engine["waiting"],
            "Tokens/s of one answer": _number(engine["tokens_per_s"]),
            "KV cache in use": _share(engine["kv_cache_used"]),
            "Prefix cache hits": _share(engine["prefix_cache_hits"]),
            "Memory": _memory(engine["memory_mib"]),
        }
        with st.container(horizontal=True):
            for label, value in figures.items():
                st.metric(label, value, border=True)
        for model in told["models"]:
            with st.container(border=True):
                role = "Answers" if model["role"] == "chat" else "Embeds"
                st.markdown(f"**{plain(model['name'])}**  :gray-badge[{role}]")
                st.caption(
                    f"Licence: {plain(model['licence'] or 'not known')} · Source: {plain(model['source'] or 'own')}"
                )
        st.caption(
            f"Context of {engine['context_tokens']:,} tokens, {engine['max_parallel']} questions at once, "
            f"{engine['restarts']} restarts in the last ten minutes."
        )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def _memory(mib: int | None) -> str:
    return "–" if mib is None else f"{mib / 1024:.1f} GiB"
