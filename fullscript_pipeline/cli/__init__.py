"""Thin commands: parse, call, print. Data goes to stdout, talk to stderr.

What does not belong here: anything that a sensor or a notebook would want too.
"""
