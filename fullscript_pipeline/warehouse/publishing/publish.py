"""Writes read copies for analysts under `published/`: to a temporary file first, so no reader sees half a copy.

There are three levels with a file each; the table `copy_info` of a file states its level and how it was made. In a
bucket, where a file cannot be opened without fetching all of it, a note beside it states that too. What does not belong
here: the content of a level (`pseudonymise`, `deidentify`), its secrets (`publish_secrets`), files for spreadsheets
(`export`), backups (`maintenance`).
"""

import json
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path

import duckdb

from fullscript_pipeline import clock
from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.files import Files, open_files
from fullscript_pipeline.private_files import make_private_folder
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.lookups import rows_in
from fullscript_pipeline.warehouse.publishing import publish_secrets
from fullscript_pipeline.warehouse.publishing.deidentify import Deidentified, write_deidentified
from fullscript_pipeline.warehouse.publishing.pseudonymise import write_pseudonymised

# The folder of copies at the place of files.
PUBLISHED = "published"
_INFO = """CREATE TABLE target.copy_info (level VARCHAR, made_at TIMESTAMPTZ, dates VARCHAR, through_year INTEGER,
    with_current_year BOOLEAN, k INTEGER, k_reached INTEGER, birth_band_years INTEGER, patients INTEGER,
    patients_suppressed INTEGER, patients_without_years INTEGER, facts INTEGER, facts_suppressed INTEGER,
    patients_standing_alone INTEGER)"""


class Level(Enum):
    """How much a copy reveals; the value is its name in options, file names and messages."""

    WHOLE = "whole"
    PSEUDONYMISED = "pseudonymised"
    DEIDENTIFIED = "deidentified"

    @property
    def file(self) -> str:
        suffix = "" if self is Level.WHOLE else f"-{self.value}"
        return f"fullscript{suffix}.duckdb"

    @property
    def note(self) -> str:
        """The file that says, in a bucket, how the copy was made."""
        return f"{self.file}.json"


@dataclass(frozen=True, kw_only=True)
class CopyOptions:
    """How to make a copy. `shift_dates` is for the pseudonymised level, the last two are for the de-identified one."""

    level: Level = Level.WHOLE
    shift_dates: bool = False
    k: int | None = None
    with_current_year: bool = False


@dataclass(frozen=True, kw_only=True)
class Published:
    """A written copy, the key of its file, and the counts of a de-identified one. `address`: where it is."""

    address: str
    rows: int
    options: CopyOptions
    key: str | None = field(repr=False)
    deidentified: Deidentified | None = None


def publish(settings: Settings, warehouse: Warehouse, options: CopyOptions | None = None) -> Published:
    """Writes a copy of the warehouse, replacing the previous one of its level.

    A whole copy is encrypted if the warehouse is, or if a publish key is set. Raises Busy if the warehouse is held too
    long, ConfigurationError if there is no warehouse or a secret of the copy cannot be used, EmptyCopy if a
    de-identified copy would hold nobody.
    """
    options = options or CopyOptions()
    files, name = open_files(settings, PUBLISHED), options.level.file
    make_private_folder(settings.published_dir)
    key, pepper = _secrets(settings, options)
    temporary = settings.published_dir / f".{name}.writing"
    # The lock is held until the copy is renamed: another `publish` must not remove the temporary file as a leftover.
    with warehouse.exclusive_file(checkpointed=False):
        _remove(temporary)
        try:
            with warehouse.read_with_target(temporary, key) as con:
                counts = _fill(con, settings, options, pepper)
                _write_info(con, options, counts)
            rows = rows_in(Warehouse(temporary, key, temp_dir=settings.data_dir / "tmp"))
            files.put(name, temporary)
            if not files.is_local:
                files.put(options.level.note, json.dumps(asdict(options) | {"level": options.level.value}).encode())
        finally:
            _remove(temporary)
    return Published(address=files.address(name), rows=rows, options=options, key=key, deidentified=counts)


def _secrets(settings: Settings, options: CopyOptions) -> tuple[str | None, str]:
    """The key of the file and the pepper of its ids."""
    if options.level is Level.WHOLE:
        return settings.publish_key or settings.warehouse_key, ""
    key = publish_secrets.own_key(settings, options.level.value)
    if options.level is Level.DEIDENTIFIED:
        return key, ""
    return key, publish_secrets.pepper(settings, lasting=options.shift_dates)


def _remove(temporary: Path) -> None:
    """Removes the file and DuckDB's log, which DuckDB would apply to the next file of that name."""
    for name in (temporary.name, f"{temporary.name}.wal"):
        temporary.with_name(name).unlink(missing_ok=True)


def options_of_copies(settings: Settings) -> list[CopyOptions | Level]:
    """How each existing copy was made; only its level if the copy cannot be read."""
    files = open_files(settings, PUBLISHED)
    return [
        _options_of(settings, level) if files.is_local else _noted_options(files, level)
        for level in Level
        if files.exists(level.file)
    ]


def _noted_options(files: Files, level: Level) -> CopyOptions | Level:
    note = files.get(level.note)
    try:
        return CopyOptions(**json.loads(note) | {"level": level}) if note else level
    except (ValueError, TypeError):
        return level


def _options_of(settings: Settings, level: Level) -> CopyOptions | Level:
    if level is Level.WHOLE:
        return CopyOptions()
    try:
        copy = Warehouse(settings.published_dir / level.file, settings.publish_key, temp_dir=settings.data_dir / "tmp")
        with copy.read_unlocked() as con:
            shifted, k, current = con.execute(
                "SELECT dates = 'shifted', k, with_current_year FROM copy_info"
            ).fetchall()[0]
    except (duckdb.Error, PipelineError, IndexError):
        return level
    return CopyOptions(level=level, shift_dates=bool(shifted), k=k, with_current_year=bool(current))


def _fill(con: duckdb.DuckDBPyConnection, settings: Settings, options: CopyOptions, pepper: str) -> Deidentified | None:
    this_year = clock.today(settings.time_zone).year
    if options.level is Level.DEIDENTIFIED:
        k = options.k or settings.publish_k
        return write_deidentified(con, k, this_year, with_current_year=options.with_current_year)
    if options.level is Level.PSEUDONYMISED:
        write_pseudonymised(con, pepper, this_year, shift_dates=options.shift_dates)
    else:
        con.execute("COPY FROM DATABASE warehouse TO target")
    return None


def _write_info(con: duckdb.DuckDBPyConnection, options: CopyOptions, counts: Deidentified | None) -> None:
    """Writes the row that describes the copy: no secret, and only what the command prints as well."""
    con.execute(_INFO)
    dates = "years" if counts else "shifted" if options.shift_dates else "kept"
    con.execute(
        "INSERT INTO target.copy_info (level, made_at, dates) VALUES (?, ?, ?)",
        [options.level.value, clock.real_now(), dates],
    )
    if counts:
        numbers = {"with_current_year": options.with_current_year, **asdict(counts)}
        con.execute(f"UPDATE target.copy_info SET {', '.join(f'{name} = ${name}' for name in numbers)}", numbers)
