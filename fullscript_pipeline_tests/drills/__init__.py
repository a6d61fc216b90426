"""Reliability promises with any numbers: `soak/` runs them in full, the tests of the rooms with small ones.

What does not belong here: tests, and how many kills, seeds or rounds are enough (the tests say).
"""
