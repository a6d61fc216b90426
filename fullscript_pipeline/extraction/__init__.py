"""Pulls: fetches the pages of each endpoint with a session, lands them, and loads the tables.

Knows the public names of `api`, `state` and `warehouse`. What does not belong here: Dagster, HTTP, SQL of the merge,
fetching what changed between pulls (`refresh`).
"""
