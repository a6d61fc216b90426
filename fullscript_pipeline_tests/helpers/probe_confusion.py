"""Which response variant of the sandbox a probe names: every one alone, all together, and random sets of them.

`python -m fullscript_pipeline_tests.helpers.probe_confusion` writes the table into docs/probe.md; a test holds it
equal. What does not belong here: the verdicts (`probe`).
"""

import random
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fullscript_pipeline.probe import JudgedFact, judge_report, load_facts, open_exchange, probe_rotation, run_probe
from fullscript_pipeline.sandbox.behaviour_switches import EXCLUSIVE_VARIANTS, RESPONSE_VARIANTS, parse_variant_names
from fullscript_pipeline.sandbox.settings import READ_SCOPES
from fullscript_pipeline.state import Clinic, StateStore
from fullscript_pipeline_tests.helpers.pipeline import Connected, connected_pipeline

GUIDE = Path(__file__).parents[2] / "docs" / "probe.md"
BEGIN, END = "<!-- confusion table: begin -->", "<!-- confusion table: end -->"
# Of this world some labs have results, and the Canadian app may read the restricted lists.
WORLD = {"patients": 90, "history_days": 60, "world_clinics": 3, "rate_limit": 10**9}
# What a token with fewer scopes shows.
NARROW_SCOPES = "catalog:read clinic:read patients:read patients:treatment_plan_history"
FEWER_SCOPES = "fewer scopes"
NEEDS_FEWER_SCOPES = "missing_scope_401"
# Clinic -> every fact with its verdict.
Verdicts = dict[str, list[JudgedFact]]


class FreeBudget:
    """A request budget without a limit: forty probes in a row are no daily use."""

    def acquire(self, priority: str) -> None:
        """Returns at once."""

    def pause_requests(self, seconds: float) -> None:
        """Does nothing."""


class FreeBudgets:
    """The budgets of all apps."""

    def of_app(self, server: str, client_id: str, limit: int) -> FreeBudget:
        return FreeBudget()


class FreeStore:
    """The state store, with free budgets."""

    def __init__(self, store: StateStore) -> None:
        self.tokens, self.purged, self.facts, self.budgets = store.tokens, store.purged, store.facts, FreeBudgets()


@dataclass(frozen=True)
class ProbedWorld:
    """Probes one sandbox as a US clinic and as a Canadian one; as a clinic whose token lacks scopes on request."""

    connected: Connected
    clinics: dict[str, Clinic]

    def probe(self, names: Sequence[str], kinds: Sequence[str] = ("US", "Canada")) -> Verdicts:
        """The verdicts of clinics with these response variants on."""
        control = self.connected.sandbox.control
        control.set_response_variants(*names)
        judged = {}
        for kind in kinds:
            # A renewed token has the app's scopes of that moment.
            control.change(scopes=NARROW_SCOPES if kind == FEWER_SCOPES else READ_SCOPES)
            judged[kind] = self._judge(self.clinics[kind], tokens=kind == "US")
        return judged

    def _judge(self, clinic: Clinic, *, tokens: bool) -> list[JudgedFact]:
        settings, store = self.connected.settings, FreeStore(self.connected.store)
        grant = self.connected.store.tokens.load_grant(clinic)
        assert grant is not None
        with open_exchange(settings, store, clinic) as exchange:
            report = run_probe(exchange, clinic, grant.scopes)
        if tokens:
            report.tokens = probe_rotation(settings, store, clinic)
        return judge_report(report)


@contextmanager
def probed_world(directory: Path) -> Iterator[ProbedWorld]:
    """A sandbox with three connected clinics, the last with fewer scopes."""
    with connected_pipeline(directory, clinics=0, **WORLD) as connected:
        control, slugs = connected.sandbox.control, list(connected.sandbox.clinics)
        american = [slug for slug in slugs if connected.sandbox.clinics[slug]["server"] == "us-snd"]
        canadian = [slug for slug in slugs if connected.sandbox.clinics[slug]["server"] == "ca-snd"]
        keys = {"US": connected.connect(american[0]), "Canada": connected.connect(canadian[0])}
        control.change(scopes=NARROW_SCOPES)
        keys[FEWER_SCOPES] = connected.connect(american[1])
        yield ProbedWorld(connected, {kind: connected.store.clinics.find(key) for kind, key in keys.items()})


def random_variants(number: int, seed: int = 1) -> list[list[str]]:
    """Sets of response variants that do not exclude each other."""
    rng, sets = random.Random(seed), []
    for _ in range(number):
        chosen = {name for name in RESPONSE_VARIANTS if rng.random() < 0.35}
        for rivals in EXCLUSIVE_VARIANTS:
            both = [name for name in rivals if name in chosen]
            chosen -= set(both[1:])
        sets.append(sorted(chosen))
    return sets


def verdict_on(variant: str, judged: Verdicts) -> dict[str, str]:
    """Clinic -> the verdict on a response variant."""
    return {
        kind: next(each.verdict.word for each in facts if each.fact.variant == variant)
        for kind, facts in judged.items()
    }


def named_variants(judged: Verdicts) -> set[str]:
    """The response variants that any clinic's probe names."""
    return {
        each.fact.variant
        for facts in judged.values()
        for each in facts
        if each.fact.variant and each.verdict.word == "differs"
    }


def table_of(alone: dict[str, Verdicts], together: Verdicts) -> str:
    """The confusion table, in Markdown."""
    rows = ["| response variant | US | Canada | with all others | what can hide it |"]
    rows.append("|---|---|---|---|---|")
    short = {"differs": "named", "could not tell": "-", "as documented": "WRONG"}
    on_together = parse_variant_names("all")
    for fact in load_facts():
        if (variant := fact.variant) is not None:
            cells = [short[word] for word in verdict_on(variant, alone[variant]).values()]
            seen_by = {short[word] for word in verdict_on(variant, together).values()}
            joined = ("named" if "named" in seen_by else "-") if variant in on_together else "off"
            rows.append(f"| `{variant}` | {' | '.join(cells)} | {joined} | {fact.hidden_by} |")
    return "\n".join(rows)


def confusion(world: ProbedWorld) -> tuple[dict[str, Verdicts], Verdicts]:
    """The verdicts of every variant alone, and of all together."""
    alone = {name: world.probe([name]) for name in RESPONSE_VARIANTS}
    # The cell of the US is of a clinic whose token lacks scopes: other tokens hide it.
    narrow = world.probe([NEEDS_FEWER_SCOPES], [FEWER_SCOPES])[FEWER_SCOPES]
    alone[NEEDS_FEWER_SCOPES]["US"] = narrow
    return alone, world.probe(["all"])


def guide_with(table: str) -> str:
    """docs/probe.md with this table."""
    text = GUIDE.read_text(encoding="utf-8")
    return re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n{table}\n{END}", text, flags=re.DOTALL)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, probed_world(Path(folder)) as probed:
        GUIDE.write_text(guide_with(table_of(*confusion(probed))), encoding="utf-8")
