"""Writes everything that the data directory holds about one person to a JSON file: the answer to an access request.

It covers what `purge --patient` removes, by the same lists. The last part names the files that hold copies. What does
not belong here: which rows are a person's (`warehouse.personal_data`, `state`), the command (`cli.publish`).
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.errors import ConfigurationError, UsageError
from fullscript_pipeline.files import open_files
from fullscript_pipeline.maintenance.landed_files import landed_folders
from fullscript_pipeline.maintenance.report_store import open_report_store
from fullscript_pipeline.private_files import make_private_folder
from fullscript_pipeline.reports import archived_days_naming
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore, rows_of_patient
from fullscript_pipeline.warehouse import Warehouse
from fullscript_pipeline.warehouse.personal_data import Subject, dependents_of, ids_of, landed_records, stored_rows
from fullscript_pipeline.warehouse.publishing import PUBLISHED

FORMAT = 1
FILE = "person.json"


@dataclass(frozen=True, kw_only=True)
class PersonFile:
    """The written file; `counts`: rows or records by place."""

    path: Path
    counts: Mapping[str, int]


def write_person_file(
    settings: Settings, warehouse: Warehouse, store: StateStore, clinic: ClinicRef, patient_id: str, folder: Path
) -> PersonFile:
    """Writes `<folder>/person.json` (0600), replacing an existing one.

    Raises UsageError when nothing is held of the person, LandingDamage when a landed file cannot be read as a whole (it
    may hold more), ConfigurationError when the folder cannot be written.
    """
    subject = Subject(clinic_id=clinic.clinic_id, patient_id=patient_id)
    with warehouse.read() as con:
        ids = ids_of(con, subject)
        rows = stored_rows(con, subject, ids)
        dependents = dependents_of(con, subject)
    with landed_folders(settings, store, f"{clinic.server}/{clinic.clinic_key}") as folders:
        landed = [text for folder in folders for text in landed_records(folder, settings.warehouse_key, ids)]
    state = rows_of_patient(store.db, store.keyring, clinic, ids)
    counts = {table: len(records) for table, records in rows.items()} | {"landing": len(landed)}
    counts |= {f"state.{table}": len(records) for table, records in state.items()}
    if not any(counts.values()):
        raise UsageError(
            f"{settings.data_dir} holds nothing of patient {patient_id} of {clinic.clinic_key}: check the id."
        )
    parts = _head(subject, clinic.server) | {
        "ids": _to_json(sorted(ids)),
        "guardian_of": _to_json(dependents),
        "warehouse": _json_object({table: _json_array(records) for table, records in rows.items()}),
        "landing": _json_array(landed),
        "state": _to_json(state),
        "copies": _to_json(_copies_by_kind(settings, clinic, patient_id)),
    }
    return PersonFile(
        path=_write_private(folder / FILE, _json_object(parts)),
        counts={name: count for name, count in counts.items() if count},
    )


def _head(subject: Subject, server: str) -> dict[str, str]:
    """Whose file it is, and when and by what it was made."""
    return {
        "format": _to_json(FORMAT),
        "made_at": _to_json(f"{clock.real_now():%Y-%m-%dT%H:%M:%SZ}"),
        "made_by": _to_json(f"fullscript-pipeline {version('fullscript-pipeline')}"),
        "server": _to_json(server),
        "clinic_id": _to_json(subject.clinic_id),
        "patient_id": _to_json(subject.patient_id),
    }


def _copies_by_kind(settings: Settings, clinic: ClinicRef, patient_id: str) -> dict[str, list[str]]:
    """Files that hold copies of these data or of a part of them, by kind: below the data directory, or an address."""
    reports = open_report_store(settings)
    stores = [reports, *(reports.of_day(day) for day in reports.earlier_days())]
    pages = [(store, store.path_for_patient(clinic.clinic_key, patient_id)) for store in stores]
    archives = archived_days_naming(reports, clinic.clinic_key, patient_id)
    published, exports = open_files(settings, PUBLISHED), open_files(settings, "exports")
    copies = {
        "pages": [store.address(path) for store, path in pages if store.exists(path)],
        "kept_pages": [reports.address(path) for path in archives],
        "published": [published.address(name) for name in published.names("") if name.endswith(".duckdb")],
        "exports": [exports.address(name) for name in exports.names_below("")],
        "backups": sorted(str(path.parent) for path in settings.backups_dir.glob("*/manifest.json")),
    }
    return {
        kind: [address.removeprefix(f"{settings.data_dir}/") for address in addresses]
        for kind, addresses in copies.items()
    }


def _write_private(path: Path, text: str) -> Path:
    temporary = path.with_name(f".{path.name}.writing")
    try:
        make_private_folder(path.parent)
        temporary.unlink(missing_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
        temporary.replace(path)
    except OSError as problem:
        temporary.unlink(missing_ok=True)
        raise ConfigurationError(
            f"The folder {path.parent} cannot be written ({problem.strerror}): free space or choose another with --to."
        ) from None
    return path


def _to_json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, default=str)


def _json_array(texts: Sequence[str]) -> str:
    return "[" + ",\n".join(texts) + "]"


def _json_object(parts: Mapping[str, str]) -> str:
    return "{" + ",\n".join(f"{_to_json(name)}: {text}" for name, text in parts.items()) + "}"
