"""Word, PowerPoint and Excel, as their last reader sees them.

In: the open file. Out: a draft of blocks. `word`, `slides` and `workbook` are the doors; what begins with their
names, and `sheettables`, is theirs alone; `figures`, `package`, `elements` and `offline` are shared.
"""
