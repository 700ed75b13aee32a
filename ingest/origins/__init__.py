"""Where files come from: a folder, S3, SFTP, what fsspec knows, what was uploaded.

In: a URL or a path, with patterns and rules. Out: what is there now as a stream of entries (`origin.Entry`), and the
bytes of each when they are asked for; never of what is `protected`. `open` knows every kind by its URL, and none
knows it.
"""
