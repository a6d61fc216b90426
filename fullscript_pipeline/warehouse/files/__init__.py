"""Landing files, file copies, retention and re-encryption."""

from fullscript_pipeline.warehouse.files import reencryption
from fullscript_pipeline.warehouse.files.file_copies import copy_file, copy_private, replace_with
from fullscript_pipeline.warehouse.files.frame_file import (
    ABANDONED,
    FINISHED,
    UNFINISHED,
    FrameFile,
    LandingDamage,
)
from fullscript_pipeline.warehouse.files.landing_retention import Tidied, tidy_landing, tidy_shared_landing
from fullscript_pipeline.warehouse.files.shared_landing import SharedFrameFile, SharedLanding, open_shared_landing

__all__ = [
    "ABANDONED",
    "FINISHED",
    "UNFINISHED",
    "FrameFile",
    "LandingDamage",
    "SharedFrameFile",
    "SharedLanding",
    "Tidied",
    "copy_file",
    "copy_private",
    "open_shared_landing",
    "reencryption",
    "replace_with",
    "tidy_landing",
    "tidy_shared_landing",
]
