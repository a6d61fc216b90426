"""The root of every error a user may meet, with the exit code the command line answers.

What does not belong here: errors of one room (they live in that room and derive from these). A message is one
sentence or two: what, where, what to do. It never holds a secret, a name or a date of birth.
"""


class PipelineError(Exception):
    """Something the user can act on. `exit_code` is the contract's (docs/architecture.md, "Exit codes")."""

    exit_code = 1


class UsageError(PipelineError):
    """The request itself is wrong: an unknown clinic, a day that cannot be pulled, a bad option."""

    exit_code = 2


class ServiceUnavailable(PipelineError):
    """The other side does not answer, or answers nonsense."""

    exit_code = 69


class Busy(PipelineError):
    """Another process holds what this one needs, for longer than it may wait."""

    exit_code = 75


class NeedsConnect(PipelineError):
    """A clinic has no working grant: a person must run `connect`."""

    exit_code = 77


class ConfigurationError(PipelineError):
    """A setting, a key, a folder or the clock is not usable as it is."""

    exit_code = 78
