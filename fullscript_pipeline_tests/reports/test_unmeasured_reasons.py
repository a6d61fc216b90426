"""Reasons in French: every sentence that the mart or the reader of dosage texts can say has a French one."""

import ast
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from fullscript_pipeline import adherence
from fullscript_pipeline.adherence.dosage import parse_dosage
from fullscript_pipeline.reports.language import ENGLISH, page_language
from fullscript_pipeline.reports.unmeasured_reasons import translate_problem, unmeasured_reason

FRENCH = page_language("fr")
ROOM = Path(adherence.__file__).parent


def _texts(node: ast.expr) -> Iterator[str]:
    """The sentences that an expression can be; a value in one is `7`."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp():
            yield from _texts(node.body)
            yield from _texts(node.orelse)
        case ast.JoinedStr():
            sentences = [""]
            for part in node.values:
                inner = part.value if isinstance(part, ast.FormattedValue) else part
                ends = list(_texts(inner)) or ["7"]
                sentences = [sentence + end for sentence in sentences for end in ends]
            yield from sentences


def _problems() -> set[str]:
    """What the source raises as `UnreadableError`, and gives as `reason`."""
    found: set[str] = set()
    for path in ROOM.glob("dosage/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                is_error = isinstance(node.func, ast.Name) and node.func.id == "UnreadableError"
                given = node.args[:1] if is_error else [key.value for key in node.keywords if key.arg == "reason"]
                found |= {text for value in given for text in _texts(value)}
    return found


def test_every_problem_of_a_dosage_text_has_a_french_sentence() -> None:
    problems = _problems()
    assert len(problems) > 50
    assert [problem for problem in problems if (translate_problem(problem, FRENCH) or problem) == problem] == []
    assert [problem for problem in problems if translate_problem(problem, ENGLISH) is None] == []


def test_every_reason_of_the_mart_has_a_french_sentence() -> None:
    sql = resources.files(adherence).joinpath("sql", "mart_6_rows.sql").read_text(encoding="utf-8")
    cases = re.search(r"CASE\s+WHEN r\.measurable = 'prn'.*?END AS reason", sql, re.DOTALL)
    assert cases is not None
    reasons = [text.rstrip(" (") for text in re.findall(r"THEN\s+'([^']+)'", cases[0])]
    assert len(reasons) > 10
    fallback = unmeasured_reason("anything else", "ok", [], FRENCH)
    assert [reason for reason in reasons if unmeasured_reason(reason, "ok", [], FRENCH) == fallback] == []


@pytest.mark.parametrize(
    ("texts", "french"),
    [
        (("two", "blah once: per day"), "« blah » n’est pas compris (la fréquence « blah once: per day »)"),
        (("(12.5 mg)", "daily", 'a "b" c'), "« a », « b » et « c » ne sont pas compris (la durée « a \"b\" c »)"),
        (("50 mg", "daily", "", "capsule"), "une teneur est donnée au lieu d’un nombre d’unités"),
        (("2 capsules", "daily", "", "drop"), "la quantité est en capsule, le format en goutte"),
    ],
)  # fmt: skip
def test_a_refusal_quotes_the_text_in_french(texts: tuple[str, ...], french: str) -> None:
    dosage = parse_dosage(*texts)
    reason = f"the dosage text gives no clear daily amount: {dosage.reason}"
    said = unmeasured_reason(reason, "unparsable_dosage", [], FRENCH)
    assert said.startswith("le texte de la posologie ne donne pas de quantité claire par jour\u00a0: ")
    assert french in said.replace("\u00a0", " ")
    assert unmeasured_reason(reason, "unparsable_dosage", [], ENGLISH) == reason


def test_a_reason_that_is_not_known_becomes_the_general_one() -> None:
    said = unmeasured_reason("a sentence of tomorrow", "missing_units", [], FRENCH)
    assert said == unmeasured_reason(None, "missing_units", [], FRENCH)
    assert "sentence" not in said
