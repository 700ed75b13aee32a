"""Who is looking: the service in this visitor's name, and what is shown when it says no."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import streamlit as st

from ui.client import Client, ServiceDown, ServiceError, SignedOut, open_http
from ui.parts.plain import plain

_AGAIN_S = 2


@st.cache_resource
def _http() -> httpx.Client:
    return open_http()


def client() -> Client:
    """The service, called in the name of the visitor whose page is being drawn. Rights are looked up at each call."""
    return Client(_http(), st.context.cookies)


@contextmanager
def said() -> Iterator[None]:
    """What the service refuses becomes its own sentence on the page, and the rest of the page stays."""
    try:
        yield
    except SignedOut:
        sign_in_again()
    except ServiceDown as error:
        wait_for_service(error)
    except ServiceError as error:
        st.error(plain(str(error)), icon=":material/error:")


def sign_in_again() -> None:
    """For whoever was signed out elsewhere, or stayed away too long."""
    st.info("You are signed out. What you asked is kept.", icon=":material/lock:")
    st.markdown("[Sign in](/sign-in)")
    st.stop()


def wait_for_service(error: ServiceDown) -> None:
    """One sentence, and the page goes on by itself when the service is back."""
    st.warning(plain(str(error)), icon=":material/cloud_off:")
    _look_again()
    st.stop()


@st.fragment(run_every=_AGAIN_S)
def _look_again() -> None:
    try:
        _http().get("/health/live")
    except httpx.HTTPError:
        return
    if st.session_state.get("_was_down"):
        st.session_state["_was_down"] = False
        st.rerun()
    st.session_state["_was_down"] = True
