"""The data directory's settings: where it is, the key that it is encrypted with, what is in it.

What does not belong here: anything that opens a file of the directory (but the note of its key: `key_record`).
"""

import os
import stat
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings

from fullscript_pipeline.atomic_files import remove_leftovers, remove_old_spill
from fullscript_pipeline.encryption import key_of_files
from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.private_files import make_private_folder
from fullscript_pipeline.settings.value_types import (
    FilesUrl,
    Folder,
    LakeCatalogAddress,
    Runner,
    StateUrl,
    WholeNumber,
    place_of_database,
    split_commas,
    with_verified_tls,
)

WAREHOUSE_FILE = "fullscript.duckdb"
# Beside the warehouse that it is loaded into, and under the same key.
LANDING_FOLDER = "landing"


class DataDirectory(BaseSettings):
    """`data_dir` is absolute. `encryption_key` is the key itself, wherever it was read from."""

    data_dir: Folder = Field(
        default_factory=lambda: Path("data").absolute(),
        description="warehouse, landing, state, reports, Dagster home; sandbox or production servers, never both. Any "
        "path without `?`, `#` or `%`",
        json_schema_extra={"shown_default": "`data`"},
    )
    encryption_key: str | None = Field(
        None,
        repr=False,
        description="encrypts warehouse, landing and tokens; set it, its file or its command, never two of them "
        "(operations.md, The encryption key)",
    )
    encryption_key_file: str | None = Field(
        None, description="a file that holds the encryption key, readable by its owner only (0600)"
    )
    encryption_key_command: str | None = Field(
        None, repr=False, description="a program and its arguments that prints the encryption key; no shell runs it"
    )

    state_url: StateUrl | None = Field(
        None,
        repr=False,
        description="where the state store is, when not in the data directory: `postgresql://USER@HOST/DATABASE`, "
        "with the extra `distributed`. Dagster's history is kept there too, in the schema `dagster`",
        json_schema_extra={"shown_default": "a file in the data directory"},
    )
    files_url: FilesUrl | None = Field(
        None,
        description="where pages, spreadsheets, digests, published copies and exports are, when not in the data "
        "directory: `file:///FOLDER`, or `s3://BUCKET/PREFIX` with the extra `distributed` and AWS's own variables. "
        "With FULLSCRIPT_STATE_URL set, a bucket holds landed pages too; the files of a lake are there as well",
        json_schema_extra={"shown_default": "the data directory"},
    )
    warehouse_url: LakeCatalogAddress | None = Field(
        None,
        repr=False,
        description="the warehouse as a lake that several machines use: `ducklake:postgres:dbname=DATABASE host=HOST "
        "user=USER` names its catalog; its files are under `lake/` at FULLSCRIPT_FILES_URL. It needs the "
        "extra `distributed` and FULLSCRIPT_STATE_URL",
        json_schema_extra={"shown_default": "a file in the data directory"},
    )
    runner: Runner = Field(
        "local",
        repr=False,
        description="who runs pulls: `local`, the daemon's machine; `celery+redis://HOST:PORT/0` "
        "(`celery+rediss://` over TLS), a queue from which workers on any machine take them, with the extra "
        "`distributed`; or `k8s`, a pod for each run, with the extras "
        "`distributed` and `k8s`. Both need FULLSCRIPT_STATE_URL, FULLSCRIPT_FILES_URL (a bucket) and "
        "FULLSCRIPT_WAREHOUSE_URL",
    )
    concurrent_runs: WholeNumber | None = Field(
        None,
        ge=1,
        le=1000,
        description="how many runs there are at once, over all workers or pods (`max_concurrent_runs` in "
        "`dagster.yaml`); set it for the daemon",
        json_schema_extra={"shown_default": "what dagster.yaml says, 3 at first"},
    )

    @field_validator("runner")
    @classmethod
    def _check_runner(cls, runner: str, info: ValidationInfo) -> str:
        data = info.data
        is_bucket = str(data.get("files_url") or "").startswith("s3:")
        local = [] if data.get("state_url") else ["the state store (FULLSCRIPT_STATE_URL)"]
        local += [] if is_bucket else ["pages and copies (FULLSCRIPT_FILES_URL, a bucket)"]
        local += [] if data.get("warehouse_url") else ["the warehouse (FULLSCRIPT_WAREHOUSE_URL)"]
        if runner == "local" or not local:
            return runner
        whose = "k8s, whose pods have no disk in common" if runner == "k8s" else "celery, whose workers are elsewhere"
        raise ValueError(
            f"is {whose}, and {' and '.join(local)} would be files of this machine: set what is named, or set the "
            "runner to local."
        )

    @field_validator("warehouse_url")
    @classmethod
    def _check_lake(cls, catalog: str | None, info: ValidationInfo) -> str | None:
        if catalog and not info.data.get("state_url"):
            raise ValueError(
                "names a lake, which other machines may write, and the state store is a file of this one: set "
                "FULLSCRIPT_STATE_URL, too (`migrate-store` moves it)."
            )
        return catalog

    @property
    def warehouse_key(self) -> str | None:
        """The key that warehouse and landing files are under: the one noted by `keys rotate`, else the list's last.

        Raises ConfigurationError when it is not set, or `keys rotate` was interrupted, Busy while it is under way.
        """
        return key_of_files(self.data_dir, encryption_keys(self.encryption_key))

    @property
    def warehouse_path(self) -> Path:
        return self.data_dir / WAREHOUSE_FILE

    @property
    def lake_catalog(self) -> str | None:
        """Of a lake: its catalog, for PostgreSQL's library, perhaps with a password. None: the warehouse is a file."""
        return self.warehouse_url

    @property
    def lake_files(self) -> str:
        """Where a lake's files are: a folder, or a place in a bucket."""
        return f"{self.bucket_url}/lake" if self.bucket_url else str(self.files_dir / "lake")

    @property
    def state_path(self) -> Path:
        """The state store's file, which is not made where `state_url` is set."""
        return self.data_dir / "state.sqlite"

    @property
    def portal_path(self) -> Path:
        return self.data_dir / "portal.sqlite"

    @property
    def portal_requests_path(self) -> Path:
        """The portal's queue, from which the daemon takes requests."""
        return self.data_dir / "portal-requests.sqlite"

    @property
    def state_address(self) -> Path | str:
        """Where the state store is: the path of a file, or an address of PostgreSQL with its password."""
        return self.state_url or self.state_path

    @property
    def state_place(self) -> str:
        """The same for sentences, without a password."""
        return place_of_database(self.state_url) if self.state_url else str(self.state_path)

    @property
    def runner_kind(self) -> Literal["local", "celery", "k8s"]:
        """Who runs pulls, without the address of a queue."""
        return self.runner if self.runner in {"local", "k8s"} else "celery"  # type: ignore[return-value]

    @property
    def broker_url(self) -> str | None:
        """The queue of runs for workers, perhaps with a password; None where there is none."""
        return with_verified_tls(self.runner.removeprefix("celery+")) if self.runner_kind == "celery" else None

    @property
    def landing_dir(self) -> Path:
        return self.data_dir / LANDING_FOLDER

    @property
    def bucket_url(self) -> str | None:
        """The place in a bucket for files that are not in `files_dir`; None: there is none."""
        return self.files_url if self.files_url and self.files_url.startswith("s3:") else None

    @property
    def is_landing_shared(self) -> bool:
        """Whether landed pages are in the bucket, for every machine that shares the state store."""
        return bool(self.bucket_url and self.state_url)

    @property
    def files_dir(self) -> Path:
        """The folder of pages, copies and exports. With a bucket, some are written there before they are moved."""
        return Path(self.files_url.removeprefix("file://")) if self.files_url and not self.bucket_url else self.data_dir

    @property
    def published_dir(self) -> Path:
        return self.files_dir / "published"

    @property
    def exports_dir(self) -> Path:
        return self.files_dir / "exports"

    @property
    def backups_dir(self) -> Path:
        return self.data_dir / "backups"

    @property
    def reports_dir(self) -> Path:
        return self.files_dir / "reports"

    @property
    def dagster_home(self) -> Path:
        return self.data_dir / "dagster_home"

    @property
    def ui_key_path(self) -> Path:
        return self.data_dir / "ui.key"

    @property
    def sandbox_dir(self) -> Path:
        return self.data_dir / "sandbox"

    def prepare_data_dir(self) -> None:
        """Create the data directory and its folders, readable by their owner only; sweep what a killed process left.

        Raises ConfigurationError when that is not possible or the directory cannot be written to.
        """
        folders = (self.landing_dir, self.published_dir, self.reports_dir, self.dagster_home, self.sandbox_dir)
        try:
            for folder in (self.data_dir, *folders):
                make_private_folder(folder)
                _keep_private(folder)
            probe = self.data_dir / f".writable-{os.getpid()}"
            probe.touch(mode=0o600)
            probe.unlink()
            remove_leftovers(self.backups_dir)
            remove_old_spill(self.data_dir / "tmp")
        except OSError as problem:
            raise ConfigurationError(
                f"The data directory {self.data_dir} cannot be written to ({problem.strerror}): set "
                "FULLSCRIPT_DATA_DIR to a folder you own, or change its permissions."
            ) from None


def encryption_keys(text: str | None) -> tuple[str, ...]:
    """Return the keys in FULLSCRIPT_ENCRYPTION_KEY: one, or several, comma separated, the newest first."""
    return split_commas(text or "")


def _keep_private(folder: Path) -> None:
    """Take group and others off a folder of ours, but never off a shared one, a home or the place we run in."""
    found = folder.stat()
    here = Path.cwd()
    common = folder == Path.home() or folder == here or folder in here.parents or bool(found.st_mode & stat.S_ISVTX)
    if not common and found.st_mode & 0o077 and found.st_uid == os.getuid():
        folder.chmod(0o700)
