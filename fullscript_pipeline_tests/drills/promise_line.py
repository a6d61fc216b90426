"""The line that a reliability test leaves behind. What does not belong here: measuring."""

import sys


def report_promise(promise: str, **fields: object) -> None:
    """`promise: a=1 b=2` on the real stdout, past pytest's capture."""
    words = " ".join(
        f"{name}={value:.5g}" if isinstance(value, float) else f"{name}={value}" for name, value in fields.items()
    )
    print(f"\n{promise}: {words}", file=sys.__stdout__, flush=True)
