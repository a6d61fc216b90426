"""Errors for the person who starts the sandbox or moves its clock. Answers to API callers are in `responses`.

What does not belong here: errors of the pipeline.
"""


class SandboxError(Exception):
    """The sandbox cannot do what the command wants; the text is one sentence that names what, where and what to do."""


class SandboxBusy(SandboxError):
    """Another process serves this directory, or has the port."""
