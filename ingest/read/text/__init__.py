"""Plain text and source code, configuration included.

In: decoded text. Out: a draft of blocks, cut where the text itself is set apart.
"""
