"""The base classes of errors that users see, with the exit codes of the command line.

A message is one or two sentences: what failed, where, and what to do. It never holds a secret, a name or a date of
birth. What does not belong here: errors of one room (they are defined in that room and derive from these).
"""


class PipelineError(Exception):
    """Something the user can act on. `exit_code` is the contract's (README.md, "Commands")."""

    exit_code = 1


class UsageError(PipelineError):
    """The command itself is wrong: an unknown clinic, a day that cannot be pulled, an invalid option."""

    exit_code = 2


class ServiceUnavailable(PipelineError):
    """The server does not respond, or its response is invalid."""

    exit_code = 69


class Busy(PipelineError):
    """Another process holds a resource for longer than this one may wait."""

    exit_code = 75


class NeedsConnect(PipelineError):
    """A clinic has no working grant: a person must run `connect`."""

    exit_code = 77


class ConfigurationError(PipelineError):
    """A setting, a key, a folder or the clock cannot be used as it is."""

    exit_code = 78
