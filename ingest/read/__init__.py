"""One file's bytes to its text, with every span exact.

In: a file and its name. Out: text, elements, words with their places, title, date (`ragapp.types.Extracted`), or one
true reason why not. `parse` is the door; `formats` tells which kind a file is, `readers` has what reads each kind,
and the rooms within read one family of kinds each to `blocks`.
"""
