"""Rebuilding a region's change table and writing its digest page.

What does not belong here: change detection (`catalog`) and the page (`reports`).
"""
