"""HTML as its reader sees it, and what becomes HTML first: Markdown, and what pandoc reads.

In: decoded text, or bytes for pandoc (EPUB, OpenDocument, RTF, reStructuredText). Out: a draft of blocks. `markup` is
the door.
"""
