"""PDF by pypdfium2.

In: the open file. Out: a draft of blocks in reading order, with the boxes of their words, and what a reader doesn't
see apart. `pdf` is the door; `page` has one page's words, `lines` and `layout` make blocks of them, `ocr` reads
pictures.
"""
