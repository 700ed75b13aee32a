"""Ingestion: from files, wherever they lie, to documents that can be found.

Its rooms from top to bottom; an import only ever points down, and `make check` holds it:

    jobs/      what an admin asks for, and one job from its listing to its end: `intake`
    care/      what an admin changes of what is in: who sees it, what goes
    pipeline/  one run: files fetched, read behind the fence, embedded, written, committed: `pipeline`
    origins/   where files come from, listed and fetched: `open`
    unpack/    files out of what holds files: `containers`
    read/      one file's bytes to its text: `parse`
    chunk/     a text to pieces that fit the embedder: `chunk`
    fence/     processes with limits, in which unpack, read and chunk work: `fence`

The modules named here are the doors of their rooms. Nothing is loaded before it is asked for.
"""
