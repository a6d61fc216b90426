"""Examples of every command, shown at the end of its `--help`.

A test parses each of them. What does not belong here: what a command does.
"""

import click

EXAMPLES: dict[str, tuple[str, ...]] = {
    "demo": ("demo", "FULLSCRIPT_DATA_DIR=/tmp/demo fullscript-pipeline demo"),
    "ui": ("ui", "ui --port 3100"),
    "ui link": ("ui link",),
    "sandbox serve": ("sandbox serve", "sandbox serve --port 8766 --patients 50 --quirks all"),
    "sandbox advance": ("sandbox advance --days 1", "sandbox advance --to 2026-12-01"),
    "sandbox fault": ("sandbox fault http_500 --endpoint /clinic/orders --count 3", "sandbox fault --clear"),
    "sandbox quirks": ("sandbox quirks", "sandbox quirks all"),
    "sandbox webhook": ("sandbox webhook us-snd http://127.0.0.1:8767/hooks/SECRET/us-snd",),
    "connect": ("connect us-snd", "connect us --no-browser", "connect ca --paste"),
    "clinics": ("clinics", "clinics --users", "clinics --json | jq -r 'select(.status != \"ok\").clinic_key'"),
    "clinics accept-view": ("clinics accept-view maple-street-wellness",),
    "clinics set": ("clinics set maple-street-wellness --language fr --time-zone America/Toronto",),
    "disconnect": (
        "disconnect maple-street-wellness",
        "disconnect maple-street-wellness --user USER_ID",
        "disconnect maple-street-wellness --give-up",
        "disconnect --all",
    ),
    "pull": (
        "pull",
        "pull --clinic maple-street-wellness --only orders",
        "pull --only orders --from 2026-10-01 --to 2026-10-31",
        "pull --dry-run",
        "pull --dry-run --ask --json | jq 'select(.endpoint) | .requests'",
    ),
    "refresh": ("refresh", "refresh --clinic maple-street-wellness"),
    "web serve": ("web serve", "web serve --port 8768"),
    "web invite": ("web invite us --days 7",),
    "web audit": ("web audit --last 50",),
    "report adherence": ("report adherence", "report adherence --clinic maple-street-wellness --as-of 2026-10-31"),
    "report dosages": ("report dosages --limit 20",),
    "report snooze": (
        'report snooze maple-street-wellness PATIENT_ID --until 2026-12-15 --note "back from holidays then"',
        "report snooze maple-street-wellness PATIENT_ID --remove",
        "report snooze --list",
    ),
    "catalog diff": (
        "catalog diff 2026-11-01 2026-11-22",
        "catalog diff 2026-11-01 2026-11-22 --region us --field msrp --min-price-change 5% --format csv > prices.csv",
        "catalog diff --since-first",
        "catalog diff --last 30d --region ca",
    ),
    "catalog changes": ("catalog changes --month 2026-11 --brand 'Northwind Naturals'",),
    "catalog compare": (
        "catalog compare us ca --by upc --format xlsx --output compared.xlsx",
        "catalog compare ../sandbox-data ../production-data@us --by sku",
    ),
    "catalog show": ('catalog show "Magnesium Glycinate"', "catalog show VARIANT_ID --region ca"),
    "catalog coverage": ("catalog coverage --region us --days 30",),
    "catalog release": ("catalog release 2026-11-22 --region us",),
    "publish": ("publish", "publish --pseudonymised", "publish --deidentified --k 10"),
    "export": (
        "export --format csv --table patients --table marts.adherence --to /secure/share",
        "export --patient maple-street-wellness PATIENT_ID --to /secure/share",
    ),
    "backup": ("backup --to /mnt/backups", "backup --to /mnt/backups --with-landing"),
    "restore": ("restore /mnt/backups/20261122T230000Z",),
    "purge": (
        "purge --clinic maple-street-wellness --disconnect",
        "purge --patient maple-street-wellness PATIENT_ID",
        "purge --patient maple-street-wellness PATIENT_ID --undo",
    ),
    "audit list": ("audit list", "audit list --json | jq -r 'select(.command == \"export\") | .user'"),
    "audit verify": ("audit verify", "audit verify --head CHAIN:NUMBER:CODE"),
    "tidy": ("tidy --dry-run",),
    "migrate-store": (
        "migrate-store file postgresql://fullscript@db.example.org/fullscript",
        "migrate-store postgresql://fullscript@db.example.org/fullscript file",
    ),
    "clock repair": ("clock repair --dry-run", "clock repair"),
    "keys new": ("keys new > ~/.fullscript.key && chmod 600 ~/.fullscript.key",),
    "keys rotate": ("keys rotate",),
    "quarantine list": ("quarantine list", "quarantine list --json | jq -r .reason | sort | uniq -c"),
    "quarantine replay": ("quarantine replay",),
    "webhooks serve": ("webhooks serve", "webhooks serve --port 8767"),
    "webhooks status": ("webhooks status", "webhooks status --json | jq .waiting"),
    "webhooks inbox list": ("webhooks inbox list", "webhooks inbox list --json | jq -r 'select(.state == \"failed\")'"),
    "webhooks inbox replay": ("webhooks inbox replay", "webhooks inbox replay EVENT_ID"),
    "webhooks inbox ignore": ("webhooks inbox ignore EVENT_ID",),
    "probe": (
        "probe us-snd",
        "probe us-snd --tokens --undocumented",
        "probe us --dry-run",
        "probe us --assume whole_utc_days",
        "probe --replay probe-us.json",
    ),
    "doctor": (
        "doctor",
        "doctor --watch 60",
        'doctor --json | jq -r \'select(.state == "fail") | .id + ": " + (.fix // .what)\'',
    ),
}


def with_examples(command: click.Command, path: str) -> click.Command:
    """The command, and its subcommands, with their examples as the last part of their help."""
    if isinstance(command, click.Group):
        for name, subcommand in command.commands.items():
            with_examples(subcommand, f"{path} {name}")
    if lines := EXAMPLES.get(path):
        shown = (line if "fullscript-pipeline" in line else f"fullscript-pipeline {line}" for line in lines)
        # \b keeps click from filling the lines into a paragraph.
        command.epilog = "\n\n".join(["Examples:", "\b\n" + "\n".join(f"  {line}" for line in shown)])
    return command
