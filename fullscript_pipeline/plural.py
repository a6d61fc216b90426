"""Formats a number with its noun.

What does not belong here: any other wording, which belongs to each room.
"""


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Returns `1 day`, `2 days`, `1,200 days`; `plural` is for irregular forms (`deliveries`)."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
