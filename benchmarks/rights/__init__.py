"""A fuzz of rights: people, groups, rules, documents, revisions, conversations and jobs change at random, and everybody
tries every door.

`world` builds a service, and two that differ in hidden documents alone; `papers` and `words` are what they hold.
`doors` says how each operation is asked, `changes` what changes rights. `truth` says from plain SQL who may read what,
`replies` what two replies have in common. `run` puts them together, `mutants` takes single guards out.
"""
