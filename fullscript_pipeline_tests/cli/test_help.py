"""Help, examples and completion: every command has an example that parses, and nothing shown waits for Dagster."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import BashComplete

from fullscript_pipeline.cli.examples import EXAMPLES
from fullscript_pipeline.state import StateStore
from fullscript_pipeline_tests.helpers.command_tree import COMMANDS, cli


def test_every_command_has_examples_and_the_reverse() -> None:
    assert EXAMPLES.keys() == COMMANDS.keys()


@pytest.mark.parametrize("path", EXAMPLES)
def test_an_example_parses_and_is_shown(path: str) -> None:
    command = COMMANDS[path]
    shown = command.get_help(click.Context(command, info_name=path))
    for line in EXAMPLES[path]:
        assert line in shown
        words = shlex.split(line.partition(" | ")[0].partition(" > ")[0])
        words = words[words.index("fullscript-pipeline") + 1 :] if "fullscript-pipeline" in words else words
        assert words[: len(path.split())] == path.split()
        command.make_context(path, words[len(path.split()) :])


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_and_option_says_what_it_does(path: str) -> None:
    command = COMMANDS[path]
    assert command.help
    named = {"seed", "clinics", "days", "region", "port", "form", "file_format"}  # the name says it
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name not in named:
            assert parameter.help, f"{path} --{parameter.name}"


def complete(*words: str) -> list[str]:
    """What a shell would offer for the last word of a line."""
    *before, last = words
    found = BashComplete(cli, {}, "fullscript-pipeline", "_COMPLETE").get_completions(before, last)
    return [one.value for one in found]


def test_the_shell_completes_commands_servers_and_clinics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert complete("qu") == ["quarantine"]
    assert complete("connect", "us") == ["us", "us-snd"]
    assert complete("pull", "--clinic", "") == [], "nobody is connected yet"
    with StateStore(tmp_path / "state.sqlite", None) as store:
        store.clinics.register("us-snd", "c-1", "us", "Maple Street")
    for line in (["disconnect"], ["pull", "--clinic"], ["report", "adherence", "--clinic"], ["purge", "--clinic"]):
        assert complete(*line, "") == ["maple-street"], line


def test_the_script_for_the_shell_is_there() -> None:
    environment = {**os.environ, "_FULLSCRIPT_PIPELINE_COMPLETE": "bash_source"}
    code = "import sys; sys.argv[0] = 'fullscript-pipeline'; from fullscript_pipeline.cli.main import main; main()"
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert "complete -o nosort -F _fullscript_pipeline_completion fullscript-pipeline" in told.stdout


def test_help_waits_for_nothing_big() -> None:
    code = (
        "import sys; sys.argv[1:] = ['--help']\n"
        "from fullscript_pipeline.cli.main import main, cli\n"
        "big = {'dagster', 'duckdb', 'sqlalchemy', 'httpx'}\n"
        "try: main()\n"
        "finally:\n"
        "    print(sorted(big & set(sys.modules)), file=sys.stderr)\n"
        "    for name in cli.list_commands(None): cli.get_command(None, name)\n"
        "    print('dagster' in sys.modules, file=sys.stderr)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stderr.split("\n")[:2] == ["[]", "False"], "help shows names; a command's own help declares it"
