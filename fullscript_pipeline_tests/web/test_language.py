"""French: every sentence of the portal's templates and modules has one, and a user chooses."""

import ast
import re
from pathlib import Path

import pytest
from starlette.datastructures import Headers

from fullscript_pipeline.web.french import FRENCH
from fullscript_pipeline.web.language import translate_told, use_language_of
from fullscript_pipeline.web.note_views import _WORDS
from fullscript_pipeline_tests.helpers.running_portal import RunningPortal

CLINIC = "maple-street"
ROOM = Path(__file__).parents[2] / "fullscript_pipeline" / "web"
_CALL = re.compile(r"""\b_\(("(?:[^"\\]|\\.)*")""")
_TEXT = re.compile(r">([^<>{}]*[A-Za-z]{3}[^<>{}]*)<")


def test_every_sentence_of_a_template_has_a_french_one() -> None:
    for template in sorted((ROOM / "templates").glob("*.j2")):
        text = template.read_text(encoding="utf-8")
        sentences = [ast.literal_eval(found) for found in _CALL.findall(text)]
        assert [sentence for sentence in sentences if sentence not in FRENCH] == [], template.name
        outside = [found for found in _TEXT.findall(re.sub(r"{%.*?%}|{{.*?}}", "", text)) if "Fullscript:" not in found]
        assert outside == [], f"{template.name}: not translated"


def test_every_sentence_of_a_module_that_a_user_reads_has_a_french_one() -> None:
    names = ("app", "connecting", "note_views", "operator_sign_in", "plan_views", "reading_views", "signing_in")
    for name in names:
        tree = ast.parse((ROOM / f"{name}.py").read_text(encoding="utf-8"))
        docs = {ast.get_docstring(node, clean=False) for node in ast.walk(tree)
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)}  # fmt: skip
        texts = {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        sentences = {text for text in texts - docs if re.fullmatch(r"[A-Z].*[a-z].* .*[.:!]", text)}
        assert sentences <= FRENCH.keys(), name
    assert set(_WORDS.values()) <= FRENCH.keys()


def test_scripts_hold_no_sentence_of_their_own() -> None:
    """The page gives a script its words."""
    for name in ("embed.js", "portal.js"):
        text = (ROOM / "static" / name).read_text(encoding="utf-8")
        assert re.findall(r'"[A-Z][^"]*[ .][^"]*"', text) == [], name


def test_every_sentence_that_the_daemon_tells_has_a_french_one() -> None:
    """A sentence with a number in it, too."""
    tree = ast.parse((ROOM.parent / "orchestration" / "automation" / "portal_requests.py").read_text(encoding="utf-8"))
    told = [
        node.args[-1].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in {"describe", "end"}
        and isinstance(node.args[-1], ast.Constant)
    ]  # fmt: skip
    assert len(told) >= 5
    assert {text for text in told if text != "Read."} <= FRENCH.keys()
    use_language_of(Headers({"accept-language": "fr"}), {})
    for steps in ("1 step", "12 steps"):
        english = f"The first pull runs: {steps} done. A large clinic takes an hour or two."
        assert translate_told(english).startswith(f"La première lecture est en cours : {steps.split()[0]} étape")


def test_values_have_the_same_places_in_both_languages() -> None:
    for english, french in FRENCH.items():
        assert sorted(re.findall(r"{\w+}", english)) == sorted(re.findall(r"{\w+}", french)), english


@pytest.mark.parametrize(("header", "words"), [("fr-CA,fr;q=0.9,en;q=0.5", "Se connecter"), ("de,en", "Sign in")])
def test_the_browser_says_which_language_comes_first(portal: RunningPortal, header: str, words: str) -> None:
    assert words in portal.browser().get("/", headers={"Accept-Language": header}).text


def test_a_user_chooses_and_it_stays(portal: RunningPortal) -> None:
    client = portal.sign_in(CLINIC)
    assert client.get("/language/fr").headers["location"] == "/"
    page = client.get(f"/clinics/{CLINIC}/").text
    assert '<html lang="fr">' in page and "Prochaine étape" in page and "Se déconnecter" in page
    patient = next(iter(portal.patients[CLINIC]))
    theirs = client.get(f"/clinics/{CLINIC}/patients/{patient}").text
    assert '<html lang="en">' in theirs, "a page of the last run is in the clinic's language"
    assert 'lang="fr"' in theirs and "Relire maintenant" in theirs
    assert "Il n’y a rien ici pour vous." in client.get("/nothing").text
    client.get("/language/en")
    assert "Next step" in client.get(f"/clinics/{CLINIC}/").text
    assert client.get("/language/xx").status_code == 404
