"""Cited answers from your own documents, on your own hardware.

The whole public face, in the order a developer meets it. Names load on first use, so that
`import ragapp` (and with it `ragapp --help`) stays quick.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ragapp.access import narrow
    from ragapp.app import RagApp
    from ragapp.errors import NobodyChosen, RagappError
    from ragapp.settings import Settings
    from ragapp.types import EVERYONE, Answer, Citation, Passage, Principal, Turn

__version__ = "0.1.0"
__all__ = [
    "EVERYONE", "Answer", "Citation", "NobodyChosen", "Passage", "Principal", "RagApp", "RagappError", "Settings",
    "Turn", "narrow",
]  # fmt: skip

_HOMES = {
    "RagApp": "ragapp.app",
    "RagappError": "ragapp.errors",
    "NobodyChosen": "ragapp.errors",
    "Settings": "ragapp.settings",
    "EVERYONE": "ragapp.types",
    "Answer": "ragapp.types",
    "Citation": "ragapp.types",
    "Passage": "ragapp.types",
    "Principal": "ragapp.types",
    "Turn": "ragapp.types",
    "narrow": "ragapp.access",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ragapp' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
