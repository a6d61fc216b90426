"""The README names every command, option-bearing synopsis and setting there is, and nothing that is not."""

import re
from pathlib import Path
from typing import cast

import click

from fullscript_pipeline.cli import main as entry

cli = cast(click.Group, entry.cli)
ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_every_command_is_in_the_readme_and_the_reverse() -> None:
    section = README.split("## Commands")[1].split("## ")[0]
    named = set(re.findall(r"^\| `([a-z]+)", section, re.MULTILINE))
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


def test_every_environment_variable_is_in_the_readme() -> None:
    code = "".join(path.read_text() for path in (ROOT / "fullscript_pipeline").rglob("*.py"))
    used = set(re.findall(r"FULLSCRIPT_[A-Z0-9_]+[A-Z0-9]", code)) - {"FULLSCRIPT_US_SND_CLIENT_ID"}
    webhooks = {name for name in used if "WEBHOOK" in name}  # read already, used once there is a receiver
    per_server = {f"FULLSCRIPT_<ENV>_{suffix}" for suffix in ("CLIENT_ID", "CLIENT_SECRET", "API_URL", "AUTHORIZE_URL")}
    named = set(re.findall(r"FULLSCRIPT_[A-Z0-9_<>]+[A-Z0-9]", README.split("## Settings")[1].split("## ")[0]))
    assert per_server <= named
    assert {name for name in used - webhooks if not re.match(r"FULLSCRIPT_(US|CA)(_SND)?_", name)} <= named
