"""What the sandbox tells the person who starts or moves it. Answers to API callers are made in `clinic`.

What does not belong here: errors of the pipeline.
"""


class SandboxError(Exception):
    """The sandbox cannot do what was asked; the text is one sentence that names what, where and what to do."""


class SandboxBusy(SandboxError):
    """Another process serves this directory, or has the port."""
