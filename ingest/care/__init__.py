"""What an admin changes of what is in: who may see it (`access`), what goes for good (`removal`, `redaction`).

In: documents, folders or synced sources by the names that people use (`named`). Out: first what a change would do,
then one commit of the catalog, and the index and the kept bytes after it.
"""
