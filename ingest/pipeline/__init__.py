"""One run that takes files in: fetched, read behind the fence, embedded, written, committed, all at the same time.

In: found files (`run.FoundFile`), from a job's plan. Out: documents in index and catalog, and a report of each file.
`prepare` goes in front of the fence, `reading` is what happens behind it, `spool` lies between, `write` ends it.
"""
