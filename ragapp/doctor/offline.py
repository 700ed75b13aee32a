"""The main job with every outgoing connection refused: a document in, a cited answer out."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ragapp.app import RagApp, Say
from ragapp.doctor.alone import enter_empty_network, tries_to_leave
from ragapp.errors import Unreadable
from ragapp.network import attempts, refuse_outgoing
from ragapp.settings import IndexSettings, Settings

_DOCUMENTS = {
    "office-rules.md": """# Office rules

Effective date: 1 March 2025

## Opening hours

The office opens at 7:30 and closes at 18:45 on working days. The caretaker is Ida Nowak.
""",
    # unstructured reads it, which looks for models and for who uses it where it is let
    "visitors.html": """<html><body><h1>Visitors</h1>
<p>Visitors sign in at the desk. They are met by their host and never walk through the works alone.</p>
<table><tr><th>Place</th><th>Badge</th></tr><tr><td>Offices</td><td>green</td></tr></table></body></html>
""",
}
_QUESTION = "When does the office open?"


@dataclass(frozen=True, slots=True)
class OfflineProof:
    """What the main job did without a network."""

    answered: bool
    answer: str
    refused: tuple[str, ...]
    """Connections that something tried to make; empty is the proof."""
    watched: Literal["any program", "Python code"]
    """Whose connections were seen: everybody's in an empty network namespace, else what Python's own sockets were asked
    for, which native libraries and other programs go past."""


def prove_offline(settings: Settings, say: Say) -> OfflineProof:
    """Run the main job in a folder of its own with the settings' models. Sockets stay refused in this process, which
    moves, where the machine allows it, into a network namespace with nothing in it but loopback."""
    alone = enter_empty_network()  # first of all: a thread that a library starts would stay outside
    with tempfile.TemporaryDirectory(prefix="ragapp-offline-") as folder:
        report = Path(folder) / "refused"
        documents = Path(folder) / "documents"
        documents.mkdir()
        for name, text in _DOCUMENTS.items():
            (documents / name).write_text(text, encoding="utf-8")
        refuse_outgoing(report)
        own = in_a_folder_of_its_own(settings, Path(folder) / "data")
        with RagApp(own, say=say, models_dir=settings.data / "models") as app:
            failed = app.ingest(documents).failed
            if failed:
                raise Unreadable(f"The proof's own {failed[0].source} could not be read: {failed[0].reason}.")
            answer = app.ask(_QUESTION)
        refused = attempts(report)
        if alone and (unseen := tries_to_leave()):
            refused.append(f"what native libraries or other programs tried, {unseen} times")
        return OfflineProof(
            answer.status == "answered", answer.text, tuple(refused), "any program" if alone else "Python code"
        )


def in_a_folder_of_its_own(settings: Settings, data: Path) -> Settings:
    """The settings with another data folder and the embedded index: the proof's document must not land in the index of
    a Qdrant server that others search."""
    os.environ.pop("QDRANT_URL", None)
    return settings.model_copy(update={"data": data, "index": IndexSettings()})
