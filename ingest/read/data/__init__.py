"""Files of records: delimited text, JSON, XML, notebooks.

In: decoded text. Out: a draft of blocks, records as rows that name their fields.
"""
