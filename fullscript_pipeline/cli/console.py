"""Prints messages and progress to stderr, data to stdout.

What does not belong here: the texts.
"""

from collections.abc import Sequence

import click

from fullscript_pipeline.json_lines import json_line

_is_json = False


def use_json_lines() -> None:
    """Prints messages as JSON from now on in this process; data stay as they are."""
    global _is_json  # noqa: PLW0603 - one switch per process, set when the settings are read
    _is_json = True


def print_message(text: str, *, bold: bool = False, run_id: str | None = None) -> None:
    """A line on stderr, at once; styled only on a terminal (click honours NO_COLOR and pipes).

    `run_id`: the run that the message is about, for JSON lines.
    """
    _print_line("info", text, bold=bold, run_id=run_id)


def print_error(text: str) -> None:
    """Why a command ends with a failure, on stderr."""
    _print_line("error", f"fullscript-pipeline: {text}")


def _print_line(level: str, text: str, *, bold: bool = False, run_id: str | None = None) -> None:
    if not _is_json:
        click.secho(text, err=True, bold=bold)
    elif text.strip():
        click.echo(json_line(level, text.strip(), run_id=run_id), err=True)


def prints_json_lines() -> bool:
    """Whether messages are JSON; then the log lines of runs are printed, too."""
    return _is_json


def print_data(text: str) -> None:
    """A line on stdout."""
    click.echo(text)


def format_columns(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Formats rows as aligned columns, with numbers to the right."""
    cells = [
        [f"{cell:,}" if isinstance(cell, int) else str(cell if cell is not None else "") for cell in row]
        for row in rows
    ]
    columns = range(len(headers))
    numeric = [all(isinstance(row[column], int) for row in rows) for column in columns]
    widths = [max(len(row[column]) for row in [headers, *cells]) for column in columns]

    def line(parts: Sequence[str]) -> str:
        aligned = (
            part.rjust(width) if is_number else part.ljust(width)
            for part, width, is_number in zip(parts, widths, numeric, strict=True)
        )
        return "  ".join(aligned).rstrip()

    return "\n".join([line(headers), line(["-" * width for width in widths]), *map(line, cells)])
