"""The page's own parts in the browser: what shows answers, documents and uploads without Streamlit in between.

Their scripts put everything that comes from documents, models or people into the page as text. They are put together
from files here, since what Streamlit is given inline is one script without imports.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

_WEB = Path(__file__).with_name("web")


def _registered(name: str, *scripts: str, styles: tuple[str, ...]) -> Any:
    return st.components.v2.component(
        f"ragapp_{name}",
        js="\n".join((_WEB / script).read_text(encoding="utf-8") for script in ("unseen.js", "dom.js", *scripts)),
        css="\n".join((_WEB / style).read_text(encoding="utf-8") for style in styles),
    )


@cache
def _parts() -> dict[str, Any]:
    base = "base.css"
    return {
        "account": _registered("account", "account.js", styles=(base, "account.css")),
        "answer": _registered("answer", "source.js", "answer.js", styles=(base, "answer.css")),
        "upload": _registered("upload", "upload.js", styles=(base, "upload.css")),
        "viewer": _registered("viewer", "source.js", "viewer.js", styles=(base, "viewer.css")),
        "found": _registered("found", "source.js", "found.js", styles=(base, "answer.css", "found.css")),
    }


def mount(name: str, data: dict[str, Any], *, key: str, **on: Callable[[], None]) -> Any:
    """Put one of the parts here; `on` maps an event's name to what is called when it comes."""
    callbacks = {f"on_{event}_change": called for event, called in on.items()}
    return _parts()[name](key=key, data=data, **callbacks)
