"""Processes with limits on memory and time, for work on files that nobody vouches for.

In: a call that can be pickled. Out: what it returned or raised, or a reason why its worker had to be ended. `fence`
is the owner's side, `worker` the program behind it.
"""
