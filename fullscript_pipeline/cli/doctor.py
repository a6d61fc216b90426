"""`doctor`: runs every read-only check and prints a line for each.

What does not belong here: the checks (`health`).
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator

import click

from fullscript_pipeline.cli.command_settings import with_settings
from fullscript_pipeline.cli.console import print_data, print_message
from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.health import Finding, check_all, exit_code, failed
from fullscript_pipeline.settings import Settings

_COLOURS = {"pass": "green", "warn": "yellow", "fail": "red", "skip": "cyan"}


@click.command(
    help="Check settings, key, files, servers, tokens and warehouse. Changes nothing. A skipped check is not a passed "
    "check.\n\n"
    "Exit code 0 when no check failed, 78 when a setting is wrong, 77 when a clinic needs `connect`, else 1. What each "
    "check means and what to do: README.md, Troubleshooting."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
def doctor(as_json: bool) -> int:
    findings = []
    for finding in _findings():
        findings.append(finding)
        _show(finding, as_json)
    counts = Counter(finding.state for finding in findings)
    print_message(
        f"{counts['pass']} passed, {counts['warn']} warnings, {counts['fail']} failed, {counts['skip']} skipped"
    )
    return exit_code(findings)


def _findings() -> Iterable[Finding]:
    try:
        return _check()
    except ConfigurationError as error:
        return [failed("settings.read", str(error), "Change it as described.", error.exit_code)]


@with_settings
def _check(settings: Settings) -> Iterator[Finding]:
    return check_all(settings)


def _show(finding: Finding, as_json: bool) -> None:
    if as_json:
        print_data(json.dumps(finding.as_json()))
        return
    state = click.style(finding.state.ljust(4), fg=_COLOURS[finding.state])
    print_data(f"{state}  {finding.id}: {finding.what}")
    if finding.fix:
        print_data(f"      fix: {finding.fix}")
