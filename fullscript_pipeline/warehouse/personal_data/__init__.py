"""What is held about one person: found, shown, or removed."""

from fullscript_pipeline.warehouse.personal_data import purge
from fullscript_pipeline.warehouse.personal_data.person_rows import dependents_of, landed_records, stored_rows
from fullscript_pipeline.warehouse.personal_data.subject import Subject, ids_of

__all__ = [
    "Subject",
    "dependents_of",
    "ids_of",
    "landed_records",
    "purge",
    "stored_rows",
]
