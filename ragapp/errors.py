"""The errors a person may see: one sentence each, saying what happened, why, and what to do."""

from __future__ import annotations

from typing import ClassVar


class RagappError(Exception):
    """Base of every error that ragapp raises on purpose; its text is for whoever may mend it, as it is."""

    for_all: ClassVar[str] = "The service can't do this at the moment"
    """The same for everybody, without folders, addresses and processes of the machine; the service goes on from there
    with whom to tell."""
    for_admins: ClassVar[bool] = False
    """Whether its text is always about the machine; else only where it names a folder or a file."""


class SettingsError(RagappError):
    """A profile, variable or argument that can't be used; names the key and where it came from."""

    for_all = "Something in the service's settings can't be used"


class ModelError(RagappError):
    """Weights that are missing, damaged, not permitted, or too big for this machine."""

    for_all = "The models can't be used at the moment"
    for_admins = True


class EngineError(RagappError):
    """The engine did not start, died, or was closed."""

    for_all = "The engine that words the answers failed"


class QuestionTooLong(RagappError):
    """The question alone is longer than the model's context; names both token counts."""


class BadQuestion(RagappError):
    """A question that is empty or is not text."""


class TooCostly(RagappError):
    """A schema, a pattern or tools that would cost too much to compile; names the limit and what was found."""


class RightsChanged(RagappError):
    """Whoever asks lost rights while they were answered: to what the answer rests on, or to ask at all."""


class IndexLocked(RagappError):
    """Another process owns the index; says which, since when, and what to do."""

    for_all = "The index is in use by another program"
    for_admins = True


class IndexUnavailable(RagappError):
    """The index is damaged, unreachable, or of another embedding model."""

    for_all = "The index can't be used at the moment"
    for_admins = True


class CatalogError(RagappError):
    """The catalog can't be opened: of a newer version, damaged, or not writable."""

    for_all = "The service's records can't be read or written at the moment"


class NobodyChosen(RagappError):
    """Nobody said who may see what is new, and nobody chose it for its collection."""


class Unreadable(RagappError):
    """One file that can't be ingested; the text is the reason given in the report."""

    for_all = "This file can't be read"


class StorageFull(RagappError):
    """The disk ran full; what was there before is untouched."""

    for_all = "The disk of the service is full; nothing was lost"
    for_admins = True


class SourceUnavailable(RagappError):
    """A source of documents that can't be opened or listed; nothing it holds counts as gone."""

    for_all = "This source of documents can't be opened"


class KeptOut(Unreadable):
    """One file that missing rights or a limit in the settings keep out: waiting changes nothing, an admin does."""


class PassingFault(Unreadable):
    """One file that can't be had at this moment; trying again later makes sense."""
