"""`probe`: holds a server's answers against the documentation, or replays what another probe saw.

What does not belong here: the requests and the verdicts (`probe`), how the sandbox answers (`sandbox`).
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import click

from fullscript_pipeline.api import store_assumptions, stored_assumptions
from fullscript_pipeline.cli.command_settings import with_settings
from fullscript_pipeline.cli.console import format_columns, print_data, print_message
from fullscript_pipeline.cli.options import CLINIC, SERVER
from fullscript_pipeline.cli.sandbox_serving import serve_sandbox
from fullscript_pipeline.errors import NeedsConnect, UsageError
from fullscript_pipeline.probe import (
    REQUEST_LIMIT,
    TOKEN_REQUESTS,
    JudgedFact,
    ProbeReport,
    estimate_requests,
    judge_report,
    open_exchange,
    probe_rotation,
    read_report,
    report_path,
    run_probe,
    undocumented_endpoints,
    unsupported_facts,
    variants_of,
)
from fullscript_pipeline.sandbox.behaviour_switches import EXCLUSIVE_VARIANTS
from fullscript_pipeline.settings import ServerSettings, Settings
from fullscript_pipeline.state import Clinic, StateStore


@click.command(
    help="Compare the answers of server ENV with docs/fullscript-api. It only reads, sends at most "
    f"{REQUEST_LIMIT} requests with the token of one connected clinic, and prints its estimate first. The table says of"
    " each fact: as documented, differs, or could not tell. The file `probe-<env>.json` in the data directory holds "
    "shapes and statistics only, so that it can be attached to a bug report.\n\n"
    "With --replay FILE instead of ENV, serve a sandbox that gives the answers described in FILE, until stopped.\n\n"
    "Exit code 1 when a fact differs. The facts, what can hide each, and the switches: docs/probe.md."
)
@click.argument("env", type=SERVER, required=False)
@click.option("--clinic", type=CLINIC, help="Use the token of this clinic, by key or id. Default: the first one.")
@click.option("--undocumented", is_flag=True, help="Send one request to each endpoint that the documentation lacks.")
@click.option(
    "--tokens",
    is_flag=True,
    help="Renew the token too, to see how long the old one works. Sandbox servers only; it may need a new `connect`.",
)
@click.option("--dry-run", is_flag=True, help="Print the estimate only.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per fact.")
@click.option("--assume", metavar="SWITCH", help="Turn a switch on that the last probe of ENV supports; send nothing.")
@click.option("--forget", metavar="SWITCH", help="Turn a switch off; send nothing.")
@click.option(
    "--replay",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Serve a sandbox that gives the answers described in this file of a probe.",
)
@click.option("--port", type=int, default=8766, show_default=True, help="With --replay: the port of its sandbox.")
@with_settings
def probe(
    settings: Settings,
    *,
    env: str | None,
    replay: Path | None,
    port: int,
    assume: str | None,
    forget: str | None,
    **options: Any,
) -> int:
    if (env is None) == (replay is None):
        raise click.UsageError("Give either ENV or --replay FILE.")
    if replay is not None:
        return _replay(settings, replay, port)
    server = settings.require_app(settings.server(env or ""))
    if assume or forget:
        return _change_switches(settings, server.name, assume=assume, forget=forget)
    return _probe_server(settings, server, **options)


def _probe_server(
    settings: Settings,
    server: ServerSettings,
    *,
    clinic: str | None,
    undocumented: bool,
    tokens: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    if tokens and server.is_production:
        raise UsageError(f"--tokens is for sandbox servers; {server.name} is a production server.")
    extra = undocumented_endpoints() if undocumented else []
    with StateStore.open(settings) as store:
        chosen = _choose_clinic(store, server.name, clinic)
        grant = store.tokens.load_grant(chosen)
        scopes = grant.scopes if grant else ()
        most = estimate_requests(scopes, extra) + (TOKEN_REQUESTS if tokens else 0)
        print_message(
            f"At most {most} requests to {server.name} with the token of {chosen.clinic_key}. They only read."
        )
        if dry_run:
            return 0
        with open_exchange(settings, store, chosen) as exchange:
            report = run_probe(exchange, chosen, scopes, extra)
        if tokens:
            report.tokens = probe_rotation(settings, store, chosen)
    path = report_path(settings.data_dir, server.name)
    _write(path, report)
    code = print_verdicts(judge_report(report), as_json=as_json)
    for name, seen in report.undocumented.items():
        print_message(f"{name.removeprefix('undocumented_')}: {seen.outcome} {seen.status or ''}".rstrip())
    print_message(f"{report.requests} requests. The file {path} holds shapes and statistics only.")
    return code


def _replay(settings: Settings, path: Path, port: int) -> int:
    """Serves a sandbox of its own, with the response variants that a file shows."""
    report = read_report(path)
    judged = judge_report(report)
    variants = variants_of(judged, EXCLUSIVE_VARIANTS)
    for each in judged:
        if each.verdict.word == "differs" and each.fact.variant not in variants:
            print_message(f"The sandbox has no variant for {each.fact.name}: {each.words}")
    print_message(f"Answers like {report.server} in {path}: {', '.join(variants) or 'as documented'}")
    settings.prepare_data_dir()
    options = {"quirks": ",".join(variants)} | ({"scopes": " ".join(report.scopes)} if report.scopes else {})
    serve_sandbox(settings, settings.data_dir / "probe-replay", port=port, **options)
    return 0


def _change_switches(settings: Settings, server: str, *, assume: str | None, forget: str | None) -> int:
    """Stores which switches are on. Raises UsageError for one that the last probe does not support."""
    with StateStore.open(settings) as store:
        switches = stored_assumptions(store.facts, server) - {forget}
        if assume:
            missing = unsupported_facts(assume, judge_report(read_report(report_path(settings.data_dir, server))))
            if missing:
                raise UsageError(
                    f"The last probe of {server} does not support {assume}: it needs {', '.join(missing)} to be as "
                    "documented (docs/probe.md). Probe again when the clinic has more data."
                )
            switches |= {assume}
        store_assumptions(store.facts, server, switches)
    print_message(f"Assumed of {server}: {', '.join(sorted(switches)) or 'nothing'}.")
    return 0


def print_verdicts(judged: list[JudgedFact], *, as_json: bool) -> int:
    """Prints each fact; returns 1 when one differs."""
    if as_json:
        for each in judged:
            print_data(json.dumps(_as_json(each)))
    else:
        rows = [[each.fact.name, each.verdict.word, each.words or each.fact.documented] for each in judged]
        print_data(format_columns(["fact", "verdict", "what was seen"], rows))
    counts = Counter(each.verdict.word for each in judged)
    print_message(", ".join(f"{counts[word]} {word}" for word in ("as documented", "differs", "could not tell")))
    return 1 if counts["differs"] else 0


def _as_json(each: JudgedFact) -> dict[str, str | None]:
    fact = each.fact
    return {
        "fact": fact.name,
        "verdict": each.verdict.word,
        "documented": fact.documented,
        "seen": each.words,
        "page": f"docs/fullscript-api/{fact.page}",
        "variant": fact.variant,
    }


def _choose_clinic(store: StateStore, server: str, named: str | None) -> Clinic:
    """The clinic whose token is used. Raises UsageError for one of another server, NeedsConnect without any."""
    if named:
        clinic = store.clinics.find(named)
        if clinic.server != server:
            raise UsageError(f"Clinic {clinic.clinic_key} is on {clinic.server}, not on {server}.")
        return clinic
    clinics = [clinic for clinic in store.clinics.all() if clinic.server == server]
    if not clinics:
        raise NeedsConnect(f"No clinic of {server} is connected: run `fullscript-pipeline connect {server}` first.")
    return clinics[0]


def _write(path: Path, report: ProbeReport) -> None:
    path.write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
    path.chmod(0o600)
