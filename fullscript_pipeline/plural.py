"""A number with its noun, as a sentence has it.

What does not belong here: any other wording; each room says its own.
"""


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """`1 day`, `2 days`, `1,200 days`; `plural` where an s is not enough (`deliveries`)."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
