"""Which endpoints make which tables: asks pages through a session, lands them, loads them.

Knows the public names of `api`, `state` and `warehouse`. What does not belong here: Dagster, HTTP, SQL of the merge,
what changed and is worth asking for between pulls (`refresh`).
"""
