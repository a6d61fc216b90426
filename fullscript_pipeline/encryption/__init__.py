"""The encryption key: where it comes from, how strong it is, and which key the files are under."""

from fullscript_pipeline.encryption import key_source
from fullscript_pipeline.encryption.fingerprint import fingerprint
from fullscript_pipeline.encryption.key_record import (
    KeyRecord,
    changing_keys,
    has_record,
    key_of_files,
    read_record,
    remove_record,
    require_key_of_files,
    sync_folder,
    write_record,
)
from fullscript_pipeline.encryption.key_strength import guessable, is_guessable, new_key, require_good_keys

__all__ = [
    "KeyRecord",
    "changing_keys",
    "fingerprint",
    "guessable",
    "has_record",
    "is_guessable",
    "key_of_files",
    "key_source",
    "new_key",
    "read_record",
    "remove_record",
    "require_good_keys",
    "require_key_of_files",
    "sync_folder",
    "write_record",
]
