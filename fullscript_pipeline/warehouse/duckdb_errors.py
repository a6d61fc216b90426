"""Translates DuckDB errors about a file into messages that say what to do.

What does not belong here: waiting for a file, opening one (`connection`).
"""

import re
from pathlib import Path

import duckdb

from fullscript_pipeline.errors import Busy, ConfigurationError
from fullscript_pipeline.machine_errors import stop_signal_in

# How DuckDB reports a file that was truncated or overwritten; the tag differs for a damaged encrypted block.
_DAMAGE = ("read enough bytes", "not a valid DuckDB database", "Corrupt database file", "AES tag differs")


def no_warehouse_error(path: Path) -> ConfigurationError:
    """The error for a warehouse that does not exist: nothing was pulled yet, or the file is elsewhere."""
    return ConfigurationError(
        f"There is no warehouse at {path} yet; `fullscript-pipeline pull` (or the demo) makes it."
    )


def no_lake_error(place: str) -> ConfigurationError:
    """The error for a lake that does not exist: nothing was pulled yet, or it is in another database."""
    return ConfigurationError(
        f"There is no lake in the database {place} yet: `fullscript-pipeline pull` makes it, or `migrate-store` from a "
        "file."
    )


def _is_log_damage(error: Exception) -> bool:
    return "replaying WAL" in str(error)


def is_damage(error: Exception) -> bool:
    """Whether the error message shows that the file itself is damaged."""
    return _is_log_damage(error) or any(words in str(error) for words in _DAMAGE)


def unreadable_file_error(path: Path, error: Exception) -> ConfigurationError:
    """The error for a file that could not be read for another reason than its key."""
    failure = f"The warehouse {path} cannot be read: {first_line(error)}"
    if _is_log_damage(error):
        return ConfigurationError(
            f"The warehouse's write-ahead log {path}.wal is damaged: `fullscript-pipeline restore FROM --force` brings "
            "a backup back; without one, move the .wal file away and pull again. What it held, mostly the last run, is "
            "fetched again: lists at once, plans within FULLSCRIPT_SWEEP_DAYS."
        )
    if is_damage(error):
        return ConfigurationError(
            f"{failure} The file is damaged: `fullscript-pipeline restore FROM --force` brings a backup back; without "
            "one, move the file away and pull again: what there is now comes back, and history starts anew."
        )
    return ConfigurationError(f"{failure} Check the folder's permissions and free space.")


def key_error(path: Path, key: str | None, error: Exception) -> ConfigurationError:
    """The error for a key that does not match the file: it is missing, wrong, or the file is plain."""
    if is_damage(error):
        return unreadable_file_error(path, error)
    if key and "is not encrypted" in str(error):
        return ConfigurationError(
            f"FULLSCRIPT_ENCRYPTION_KEY is set, but the warehouse {path} was made without a key and is a plain file: "
            "unset the key to go on with it, or set FULLSCRIPT_DATA_DIR to a new folder and `connect` and `pull` there."
        )
    # DuckDB may quote the key in its message.
    reason = first_line(error).replace(key or "\0", "...")
    return ConfigurationError(
        f"The warehouse {path} cannot be opened with FULLSCRIPT_ENCRYPTION_KEY as it is set ({reason}) Set the key it "
        "was made with."
    )


def open_elsewhere_error(path: Path, error: Exception) -> Busy:
    """The error for a file that a program has open which ignores our lock."""
    return Busy(
        f"The warehouse {path} is open in another program: {first_line(error)} Close it there, or read the copy under "
        "`published/` instead."
    )


def end_query(con: duckdb.DuckDBPyConnection, error: BaseException) -> None:
    """Ends the query that a signal interrupted: DuckDB raises an error and lets it run on, so the next would wait."""
    if stop_signal_in(error):
        con.interrupt()


def holder_name_in(error: Exception) -> str:
    """The process that has the file open, as DuckDB names it."""
    match = re.search(r"PID (\d+)", str(error))
    return f"process {match[1]}" if match else "another program"


def first_line(error: Exception) -> str:
    """What the error says first, as a sentence."""
    return str(error).splitlines()[0].rstrip("!. ") + "."
