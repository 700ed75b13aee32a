"""What an admin asks for, and one job from its listing to its end.

In: what was asked (paths, uploads, a synced source), written down as a job in the catalog. Out: a report, with each
file's outcome in the job's rows; what was not done is planned again. `intake` is the door, `sync` does one job,
`plan` compares a listing with what is in, `watch` says when a source is due.
"""
