"""The entry point: finds the command, and turns errors into one sentence and the exit code of the contract.

Commands are imported when they are used, so that `--help` does not import Dagster. What does not belong here: any
command.
"""

import importlib
import signal
import sys

import click
from click.shell_completion import CompletionItem

from fullscript_pipeline.cli import lazy_imports
from fullscript_pipeline.cli.console import print_error, print_message
from fullscript_pipeline.cli.examples import with_examples
from fullscript_pipeline.errors import ConfigurationError, PipelineError
from fullscript_pipeline.machine_errors import shortage_error, stop_signal_in
from fullscript_pipeline.private_files import keep_files_private

_COMMANDS = {
    "demo": "fullscript_pipeline.cli.demo:demo",
    "ui": "fullscript_pipeline.cli.ui:ui",
    "sandbox": "fullscript_pipeline.cli.sandbox:sandbox",
    "connect": "fullscript_pipeline.cli.clinics:connect",
    "clinics": "fullscript_pipeline.cli.clinics:clinics",
    "disconnect": "fullscript_pipeline.cli.disconnect:disconnect",
    "pull": "fullscript_pipeline.cli.pull:pull",
    "refresh": "fullscript_pipeline.cli.refresh:refresh",
    "webhooks": "fullscript_pipeline.cli.webhooks:webhooks",
    "web": "fullscript_pipeline.cli.web:web",
    "report": "fullscript_pipeline.cli.report:report",
    "catalog": "fullscript_pipeline.cli.catalog:catalog",
    "publish": "fullscript_pipeline.cli.publish:publish",
    "export": "fullscript_pipeline.cli.publish:export",
    "backup": "fullscript_pipeline.cli.backup:backup",
    "restore": "fullscript_pipeline.cli.backup:restore",
    "purge": "fullscript_pipeline.cli.purge:purge",
    "tidy": "fullscript_pipeline.cli.backup:tidy",
    "migrate-store": "fullscript_pipeline.cli.migrate_store:migrate_store",
    "audit": "fullscript_pipeline.cli.audit:audit",
    "keys": "fullscript_pipeline.cli.keys:keys",
    "clock": "fullscript_pipeline.cli.clock:clock_group",
    "quarantine": "fullscript_pipeline.cli.quarantine:quarantine",
    "probe": "fullscript_pipeline.cli.probe:probe",
    "doctor": "fullscript_pipeline.cli.doctor:doctor",
}
_SUMMARIES = {
    "demo": "Create a demo: start the sandbox, connect, pull, write reports.",
    "ui": "Serve the Dagster UI on loopback; with demo data, the sandbox too.",
    "sandbox": "Run a local Fullscript with invented people.",
    "connect": "Connect a clinic: sign in and approve in the browser.",
    "clinics": "List the connected clinics and the state of their tokens.",
    "disconnect": "Revoke a clinic's access at the server, then delete its tokens.",
    "pull": "Pull the catalog and the clinics for today.",
    "refresh": "Read new webhooks and events, and fetch what they point at.",
    "webhooks": "Receive webhooks; list, retry or ignore received deliveries.",
    "web": "Serve the portal, where clinicians sign in with Fullscript; invite clinics; show its audit log.",
    "report": "Rebuild reports from the warehouse.",
    "catalog": "Show what changed in the catalog.",
    "publish": "Write a copy of the warehouse for analysts.",
    "export": "Write tables, or one person's data, to files.",
    "backup": "Back up the warehouse and the state store, and verify the copy.",
    "restore": "Restore a backup into the data directory.",
    "purge": "Remove a clinic or a patient from all stored data.",
    "tidy": "Remove landing files older than the setting.",
    "migrate-store": "Move the state store to PostgreSQL or the warehouse into a lake, or back.",
    "audit": "List who exported or removed data, and verify the audit log.",
    "keys": "Print a new encryption key, or re-encrypt stored data with it.",
    "clock": "Correct times that were stored under a wrong clock.",
    "quarantine": "List records that could not be loaded, or load them again.",
    "probe": "Compare a server's answers with its documentation; only reads.",
    "doctor": "Check settings, key, files, servers, tokens and warehouse.",
}


_FOREIGN_FILE_FIX = "run as its owner, or set FULLSCRIPT_DATA_DIR to a folder of your own."
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class _Commands(click.Group):
    """Imports a command when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        with lazy_imports.freeze_imports():
            command: click.Command = getattr(importlib.import_module(module), name)
        return _complete_clinics(with_examples(command, cmd_name))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names and summaries, without importing the commands."""
        options = super(click.Group, self).shell_complete(ctx, incomplete)
        names = [name for name in _COMMANDS if name.startswith(incomplete)]
        return [*(CompletionItem(name, help=_SUMMARIES[name]) for name in names), *options]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_SUMMARIES.items()))


def _complete_clinics(command: click.Command) -> click.Command:
    """Makes the shell complete clinic keys for every parameter that names a clinic."""
    from fullscript_pipeline.cli.options import CLINIC  # noqa: PLC0415 - reads settings; help needs none

    for subcommand in command.commands.values() if isinstance(command, click.Group) else ():
        _complete_clinics(subcommand)
    for parameter in command.params:
        is_clinic = "--clinic" in parameter.opts or parameter.name == "clinic"
        if is_clinic and parameter.type is click.STRING:
            parameter.type = CLINIC
    return command


@click.command(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Pull a clinic's Fullscript data into DuckDB every day, and write adherence pages and catalog digests.",
    epilog="Start with `demo`, or with `connect` and `pull`. When something is wrong, run `doctor`. Exit codes: 0 ok, "
    "1 differences or a failed run, 2 usage, 69 service unavailable, 75 busy, 77 needs connect, 78 settings.",
)
@click.version_option(package_name="fullscript-pipeline")
def cli() -> None:
    pass


def main() -> None:
    """Exit codes: 0 ok, 1 differences or a failed run, 2 usage, 69 unavailable, 75 busy, 77 connect, 78 settings."""
    keep_files_private()
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as it is for a shell's background job
        signal.signal(signal.SIGINT, _interrupt)
    try:
        with lazy_imports.hide_package("pandas"):
            code = cli.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except PipelineError as error:
        print_error(str(error))
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        print_message("stopped")
        sys.exit(130)
    except PermissionError as error:
        print_error(f"{error.filename} cannot be used ({error.strerror}): {_FOREIGN_FILE_FIX}")
        sys.exit(ConfigurationError.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        if stop_signal_in(error):
            print_message("stopped")
            sys.exit(130)
        if (short := shortage_error(error)) is None:
            raise
        print_error(str(short))
        sys.exit(short.exit_code)


def _interrupt(*_: object) -> None:
    """Ends a command on SIGTERM as on Ctrl-C: child processes are stopped, locks are released.

    That takes a few seconds at most. Further signals are ignored until it is complete.
    """
    for number in _SIGNALS:
        signal.signal(number, lambda *_: None)  # SIG_IGN would print a complaint about a signal that is pending
    raise KeyboardInterrupt
