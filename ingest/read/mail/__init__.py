"""E-mail: .eml and Outlook's .msg.

In: a mail's bytes. Out: a draft of blocks: the headers that a reader looks at, then the newest text, then older ones
apart. `mail` is the door; `headers` and `parts` are used by what takes out attachments too (`ingest.unpack`).
"""
