"""`doctor`: runs every read-only check and prints a line for each.

What does not belong here: the checks (`health`).
"""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import click

from fullscript_pipeline import clock
from fullscript_pipeline.cli.command_settings import with_settings
from fullscript_pipeline.cli.console import print_data, print_message
from fullscript_pipeline.cli.demo import add_demo_variables
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
@click.option(
    "--watch",
    type=click.IntRange(5, 86_400),
    metavar="SECONDS",
    help="Check again every SECONDS until stopped. After the first time, print only checks whose state changed.",
)
def doctor(as_json: bool, watch: int | None) -> int:
    findings = _check_once(as_json, {})
    while watch:
        time.sleep(watch)
        findings = _check_once(as_json, {finding.id: finding.state for finding in findings})
    return exit_code(findings)


def _check_once(as_json: bool, known: Mapping[str, str]) -> list[Finding]:
    """Prints the findings whose state is not the known one, then the counts if there were any."""
    findings, has_news = [], not known
    for finding in _findings():
        findings.append(finding)
        if known.get(finding.id) != finding.state:
            if known:
                print_message(f"{clock.real_now():%Y-%m-%d %H:%M:%S} UTC: {known.get(finding.id, 'new')} before")
            has_news = True
            _show(finding, as_json)
    counts = Counter(finding.state for finding in findings)
    if has_news:
        print_message(
            f"{counts['pass']} passed, {counts['warn']} warnings, {counts['fail']} failed, {counts['skip']} skipped"
        )
    return findings


def _findings() -> Iterable[Finding]:
    try:
        add_demo_variables()
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
