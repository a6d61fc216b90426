"""What a judge says of a fact.

What does not belong here: the judges, the table of facts.
"""

from dataclasses import dataclass
from typing import Literal

VerdictWord = Literal["as documented", "differs", "could not tell"]


@dataclass(frozen=True, kw_only=True)
class FactVerdict:
    """`seen`: in a few words what was seen, with names of keys and endpoints, never with a value."""

    word: VerdictWord
    seen: str = ""


UNKNOWN = FactVerdict(word="could not tell")
AS_DOCUMENTED = FactVerdict(word="as documented")


def differs_if(*, differs: bool | None, seen: str = "") -> FactVerdict:
    """The verdict for a truth value; None: could not tell."""
    if differs is None:
        return UNKNOWN
    return FactVerdict(word="differs" if differs else "as documented", seen=seen)
