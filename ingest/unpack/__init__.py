"""Files out of what holds files: archives, mails with attachments, Office files with embedded ones.

In: a file and its kind, with limits on what may come out. Out: its members as files of their own, and a reason for
each that stayed inside (`opened`). `containers` is the door.
"""
