"""A document's text to pieces that fit the embedder.

In: an extracted text with its elements, and what counts tokens. Out: chunks in reading order, each a span of the text
with the headings above it. `chunk` is the door.
"""
