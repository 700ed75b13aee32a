"""The errors a person may see: one sentence each, saying what happened, why, and what to do."""


class RagappError(Exception):
    """Base of every error that ragapp raises on purpose; its text is fit to be shown as it is."""


class SettingsError(RagappError):
    """A profile, variable or argument that can't be used; names the key and where it came from."""


class ModelError(RagappError):
    """Weights that are missing, damaged, not permitted, or too big for this machine."""


class EngineError(RagappError):
    """The engine did not start, died, or was closed."""


class QuestionTooLong(RagappError):
    """The question alone is longer than the model's context; names both token counts."""


class BadQuestion(RagappError):
    """A question that is empty or is not text."""


class IndexLocked(RagappError):
    """Another process owns the index; says which, since when, and what to do."""


class IndexUnavailable(RagappError):
    """The index is damaged, unreachable, or of another embedding model."""


class CatalogError(RagappError):
    """The catalog can't be opened: of a newer version, damaged, or not writable."""


class NobodyChosen(RagappError):
    """Nobody said who may see what is new, and nobody chose it for its collection."""


class Unreadable(RagappError):
    """One file that can't be ingested; the text is the reason given in the report."""


class StorageFull(RagappError):
    """The disk ran full; what was there before is untouched."""


class SourceUnavailable(RagappError):
    """A source of documents that can't be opened or listed; nothing it holds counts as gone."""


class KeptOut(Unreadable):
    """One file that missing rights or a limit in the settings keep out: waiting changes nothing, an admin does."""


class PassingFault(Unreadable):
    """One file that can't be had at this moment; trying again later makes sense."""
