"""Every command of the command line, by its path.

What does not belong here: what a command does.
"""

from collections.abc import Iterator
from typing import cast

import click

from fullscript_pipeline.cli import main as entry

cli = cast(click.Group, entry.cli)


def leaves(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its path."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        full_name = f"{path} {name}".strip()
        if isinstance(command, click.Group):
            yield from leaves(command, full_name)
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield full_name, command


COMMANDS = dict(leaves(cli))
