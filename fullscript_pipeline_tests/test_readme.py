"""The README names every command, option-bearing synopsis and setting there is, and nothing that is not."""

import re
from pathlib import Path
from typing import cast

import click

from fullscript_pipeline.cli import main as entry
from fullscript_pipeline_tests.helpers.settings_docs import documented_settings

cli = cast(click.Group, entry.cli)
ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SETTINGS = (ROOT / "docs/operations.md").read_text().split("## Settings")[1].split("\n## ")[0]
DOCTOR = ROOT / "fullscript_pipeline/cli/doctor.py"
TEXTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]


def test_every_command_is_in_the_readme_and_the_reverse() -> None:
    section = README.split("## Commands")[1].split("## ")[0]
    named = set(re.findall(r"^\| `([a-z-]+)", section, re.MULTILINE))
    assert named == set(cli.list_commands(click.Context(cli)))


def test_every_option_the_readme_shows_exists() -> None:
    section = README.split("## Commands")[1].split("## ")[0]
    for row in re.findall(r"^\| (`.*?) \| ", section.replace("\\|", "/"), re.MULTILINE):
        for synopsis in re.findall(r"`([^`]+)`", row):
            words = synopsis.split()
            command = cli.get_command(click.Context(cli), words[0])
            for word in words[1:]:
                if isinstance(command, click.Group) and word in command.commands:
                    command = command.commands[word]
            assert command is not None, synopsis
            options = {one for parameter in command.params for one in parameter.opts}
            assert set(re.findall(r"--[a-z-]+", synopsis)) <= options, synopsis


def test_every_setting_is_in_the_reference_and_the_reverse() -> None:
    """What the code names is declared (test_settings_docs.py); what is declared is in the table."""
    declared = {name for name, _ in documented_settings()}
    assert set(re.findall(r"FULLSCRIPT_[A-Z0-9_<>]+[A-Z0-9]", SETTINGS)) == declared


def test_every_setting_that_a_text_names_exists() -> None:
    named = set(re.findall(r"FULLSCRIPT_[A-Z0-9_<>]+[A-Z0-9]", SETTINGS))
    for text in TEXTS:
        found = re.findall(r"(?<!_)FULLSCRIPT_[A-Z0-9_<>]+[A-Z0-9>]", text.read_text())
        told = {re.sub(r"_(US|CA)(_SND)?_", "_<ENV>_", name) for name in found}
        assert {name for name in told if not name.endswith(">")} <= named, text.name


def test_every_check_of_doctor_has_its_line_and_the_reverse() -> None:
    code = "".join(path.read_text() for path in [*(ROOT / "fullscript_pipeline/health").glob("*.py"), DOCTOR])
    rooms = "settings|files|server|clinics?|catalog|warehouse|copies|webhooks|runs"
    ids = set(re.findall(rf'"((?:{rooms})\.[a-z{{}}_.]+|state\.(?:store|audit_log))"', code))
    parts = {
        "{server.name}": "<env>",
        "{clinic.clinic_key}": "<clinic>",
        "{region}": "<region>",
        "{level.value}": "<level>",
    }
    told = {re.sub(r"\{[a-z_.]+\}", lambda part: parts[part[0]], one) for one in ids}
    section = README.split("## Troubleshooting")[1].split("## ")[0]
    named = {
        one for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for one in re.findall(r"`([^`]+)`", row)
    }
    assert told == named


def test_every_command_that_a_text_names_exists() -> None:
    for text in TEXTS:
        for words in re.findall(r"fullscript-pipeline ([a-z][a-z-]+(?: [a-z]+)?)", text.read_text()):
            first, _, second = words.partition(" ")
            command = cli.get_command(click.Context(cli), first)
            assert command is not None, (text.name, words)
            if isinstance(command, click.Group):
                assert not second or second in command.commands, (text.name, words)


def test_every_link_leads_somewhere() -> None:
    for text in TEXTS:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text.read_text()):
            if "://" not in target:
                assert (text.parent / target).exists(), (text.name, target)
