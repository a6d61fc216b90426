"""Talk: sentences and progress on stderr, tables on stdout.

What does not belong here: what to say.
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
    """Columns aligned; numbers to the right."""
    cells = [
        [f"{cell:,}" if isinstance(cell, int) else str(cell if cell is not None else "") for cell in row]
        for row in rows
    ]
    numeric = [all(isinstance(row[i], int) for row in rows) for i in range(len(headers))]
    widths = [
        max(len(headers[i]), *(len(row[i]) for row in cells)) if cells else len(headers[i]) for i in range(len(headers))
    ]

    def line(parts: Sequence[str]) -> str:
        aligned = (p.rjust(w) if n else p.ljust(w) for p, w, n in zip(parts, widths, numeric, strict=True))
        return "  ".join(aligned).rstrip()

    return "\n".join([line(headers), line(["-" * width for width in widths]), *map(line, cells)])
