"""The table of facts is whole: each has a judge, a page, and every response variant is in it."""

from pathlib import Path

import pytest

from fullscript_pipeline.api.endpoints import ENDPOINTS
from fullscript_pipeline.probe import Fact, ProbeReport, judge_report, load_facts
from fullscript_pipeline.probe.probe_report import SeenEndpoint
from fullscript_pipeline.sandbox.behaviour_switches import RESPONSE_VARIANTS

DOCS = Path(__file__).parents[2] / "docs" / "fullscript-api"


@pytest.mark.parametrize("fact", load_facts(), ids=lambda fact: fact.name)
def test_a_fact_has_its_page(fact: Fact) -> None:
    assert (DOCS / fact.page).exists()


def test_every_response_variant_is_the_answer_to_one_fact() -> None:
    assert sorted(fact.variant for fact in load_facts() if fact.variant) == sorted(RESPONSE_VARIANTS)


def test_without_answers_nothing_can_be_told() -> None:
    report = ProbeReport(
        server="us-snd", region="us", endpoints={name: SeenEndpoint(outcome="not requested") for name in ENDPOINTS}
    )
    assert {each.verdict.word for each in judge_report(report)} == {"could not tell"}
