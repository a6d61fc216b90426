"""The facts that a probe holds against the documentation, and the verdict on each.

What does not belong here: the facts themselves (`facts.toml`), how each is judged (`judges_of_*`).
"""

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from fullscript_pipeline.probe import judges_of_answers, judges_of_records
from fullscript_pipeline.probe.probe_report import ProbeReport
from fullscript_pipeline.probe.verdict import FactVerdict

Judge = Callable[[ProbeReport], FactVerdict]


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A fact of `facts.toml`; `name` is that of its table and of its judge."""

    name: str
    page: str
    documented: str
    differs: str
    hidden_by: str
    variant: str | None = None


@dataclass(frozen=True, kw_only=True)
class JudgedFact:
    """A fact with what a probe says of it."""

    fact: Fact
    verdict: FactVerdict

    @property
    def words(self) -> str:
        """What was seen, in words; why it could not be told."""
        texts = {"as documented": "", "differs": self.fact.differs, "could not tell": self.fact.hidden_by}
        return ": ".join(text for text in (texts[self.verdict.word], self.verdict.seen) if text)


@cache
def load_facts() -> tuple[Fact, ...]:
    """Every fact, in the order of the file."""
    table = tomllib.loads(files(__package__).joinpath("facts.toml").read_text(encoding="utf-8"))
    return tuple(Fact(name=name, **texts) for name, texts in table.items())


def judge_report(report: ProbeReport) -> list[JudgedFact]:
    """Every fact with its verdict."""
    return [JudgedFact(fact=fact, verdict=judge_named(fact.name)(report)) for fact in load_facts()]


def judge_named(name: str) -> Judge:
    """The function that judges a fact. Raises AttributeError for a fact without one."""
    room = judges_of_records if hasattr(judges_of_records, name) else judges_of_answers
    judge: Judge = getattr(room, name)
    return judge


def variants_of(judged: Sequence[JudgedFact], exclusive: Sequence[Sequence[str]] = ()) -> list[str]:
    """The sandbox's response variants that answer as was seen; of each `exclusive` group the first one."""
    seen = [each.fact.variant for each in judged if each.fact.variant and each.verdict.word == "differs"]
    rivals = {name for group in exclusive for name in [name for name in group if name in seen][1:]}
    return [name for name in seen if name not in rivals]
