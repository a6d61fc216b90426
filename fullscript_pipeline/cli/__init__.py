"""Thin commands: parse, call, print. Data goes to stdout, messages go to stderr.

What does not belong here: anything that a sensor or a notebook would want too.
"""
