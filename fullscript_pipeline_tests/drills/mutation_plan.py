"""What a seed means: a random day, rounds of pulls and refreshes, and which of their answers are mutated.

What does not belong here: what a mutation does (`mutations`), and what must hold (`mutated_rounds`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Literal

from fullscript_pipeline_tests.drills.mutating_server import Strike
from fullscript_pipeline_tests.drills.mutations import EVIDENT, MUTATIONS, PLAUSIBLE
from fullscript_pipeline_tests.drills.snapshot import Access

# A dead token and a server that is down are other stories: these strike one endpoint.
_OF_ONE_ENDPOINT = frozenset({"unauthorized", "failed", "not_found", "denied"})
_FEEDS = ("/events/patients", "/events/treatment_plans", "/events/orders", "/events/lab_orders", "/events/{id}")
_OBJECTS = ("/clinic/orders", "/clinic/patients", "/clinic/patients/{patient_id}/treatment_plans")
_ASKED = {
    "refresh": (*_FEEDS, *_OBJECTS, "/clinic/*/{id}", "/clinic/*/{id}", "/catalog/products/{id}", "/events/products"),
    "pull": (*_FEEDS, *_OBJECTS, "/clinic", "/clinic/practitioners", "/clinic/staff", "/clinic/labs/*"),
    "whole pull": (
        *("/catalog/*", "/catalog/brands", "/clinic/categories", "/clinic/categories/{category_id}/products"),
        *("/clinic/practitioners/{practitioner_id}/*", "/clinic/fullscript_*", "/clinic/metadata"),
    ),
}


@dataclass(frozen=True)
class Round:
    """A pull or a refresh under mutations, made with some access, and how long nothing happens afterwards."""

    kind: Literal["pull", "refresh"]
    strikes: tuple[Strike, ...]
    access: Access
    pause: timedelta


@dataclass(frozen=True)
class Trial:
    """What a seed means; `whole`: the region and the library take part; `page_size`: the server's largest page."""

    seed: int
    day: int
    rounds: tuple[Round, ...]
    whole: bool
    page_size: int = 100

    @property
    def kinds(self) -> set[str]:
        return {strike.kind for one in self.rounds for strike in one.strikes}

    @property
    def sweep_days(self) -> int:
        """Of the clean pull."""
        return 1 if self.kinds & PLAUSIBLE.keys() else 14

    @property
    def only_retyped(self) -> bool:
        return self.kinds == {"retyped"} and [(one.kind, one.access.is_full) for one in self.rounds] == [("pull", True)]


def drawn(seed: int, days: int) -> Trial:
    """The trial of a seed."""
    rng = Random(seed)
    kinds = rng.choice([[*EVIDENT], [*EVIDENT], [*EVIDENT], [*MUTATIONS], [*MUTATIONS], ["retyped"]])
    whole = kinds != ["retyped"] and rng.random() < 0.2
    number = 1 if kinds == ["retyped"] else rng.choice([1, 1, 1, 2, 3])
    rounds = tuple(_round(rng, kinds, whole=whole) for _ in range(number))
    return Trial(seed, rng.randrange(days), rounds, whole, rng.choice([100, 100, 4]))


def _round(rng: Random, kinds: Sequence[str], *, whole: bool) -> Round:
    kind: Literal["pull", "refresh"] = "pull" if kinds == ["retyped"] or rng.random() < 0.5 else "refresh"
    asked = (*_ASKED[kind], *(_ASKED["whole pull"] if whole and kind == "pull" else ()))
    several = rng.sample(kinds, min(len(kinds), rng.choice([1, 1, 2, 3])))
    strikes = tuple(_strike(rng, one, asked) for one in several)
    access = Access.drawn(rng) if len(kinds) > 1 and rng.random() < 0.15 else Access()
    return Round(kind, strikes, access, timedelta(minutes=rng.choice([5, 90, 400])))


def _strike(rng: Random, kind: str, endpoints: Sequence[str]) -> Strike:
    everywhere = kind == "late" or (rng.random() < 0.4 and kind not in _OF_ONE_ENDPOINT)
    probability = 1.0 if kind == "late" else rng.choice([0.1, 0.4] if everywhere else [0.3, 1.0])
    endpoint = "*" if everywhere else rng.choice(endpoints)
    return Strike(kind, endpoint, probability, kind != "late" and rng.random() < 0.4, rng.randrange(10**6))
