"""A local Fullscript: a world of fake clinics, its clock, the API over it and the switches to move it.

It imports nothing of the rest of the package: what tests the pipeline must not share its mistakes. What does not
belong here: anything the pipeline itself needs to run against the vendor's servers.
"""
