"""The full numbers of the reliability promises (`make soak`); each test prints a result line.

The rooms' own tests use the same harness with small numbers.
"""
