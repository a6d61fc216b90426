"""`python -m fullscript_pipeline_tests.compare`: a sandbox, real pulls, and every table of core held against the API.

Prints a line per table and ends with 1 when a row is missing, extra or different.
"""

import subprocess
import tempfile
from pathlib import Path

import click

from fullscript_pipeline_tests.compare.compare_sandbox import Plan, compare_with_sandbox


@click.command(help=__doc__)
@click.option("--quirks", default="", help="`all`, or names with commas.")
@click.option("--patients", default=60, show_default=True)
@click.option("--products", default=120, show_default=True)
@click.option("--days", default=3, show_default=True, help="Days that pass before a second pull; 0: one pull.")
@click.option("--history-days", default=90, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--columns", is_flag=True, help="Also name the columns that are not compared.")
def main(quirks: str, patients: int, products: int, days: int, history_days: int, seed: int, columns: bool) -> None:
    plan = Plan(patients, products, days, history_days, seed, quirks)
    with tempfile.TemporaryDirectory() as folder:
        try:
            tables = compare_with_sandbox(Path(folder), plan)
        except subprocess.CalledProcessError as failed:
            raise click.ClickException(f"the pull ended with {failed.returncode}:\n{failed.stderr}") from None
    click.echo(f"{'table':32}{'rows':>8}{'missing':>9}{'extra':>7}{'different':>11}")
    for one in tables:
        click.echo(f"{one.table:32}{one.rows:8}{one.missing:9}{one.extra:7}{one.different:11}  {_columns(one.unequal)}")
        if columns and one.unread:
            click.echo(f"    not compared: {', '.join(one.unread)}")
    wrong = sum(one.missing + one.extra + one.different for one in tables)
    click.echo(f"{len(tables)} tables, {sum(one.rows for one in tables)} rows, {wrong} wrong")
    if wrong:
        raise SystemExit(1)


def _columns(unequal: dict[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in sorted(unequal.items()))


if __name__ == "__main__":
    main()
