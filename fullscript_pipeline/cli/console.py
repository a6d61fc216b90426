"""Prints messages and progress to stderr, data to stdout.

What does not belong here: the texts.
"""

from collections.abc import Sequence

import click


def print_message(text: str, *, bold: bool = False) -> None:
    """A line on stderr, at once; styled only on a terminal (click honours NO_COLOR and pipes)."""
    click.secho(text, err=True, bold=bold)


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
