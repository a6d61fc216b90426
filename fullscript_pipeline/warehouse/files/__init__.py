"""Landing files, file copies, retention and re-encryption."""

from fullscript_pipeline.warehouse.files import reencryption
from fullscript_pipeline.warehouse.files.file_copies import copy_file, copy_private, replace_with
from fullscript_pipeline.warehouse.files.frame_file import FINISHED, FrameFile, LandingDamage
from fullscript_pipeline.warehouse.files.landing_retention import Tidied, tidy_landing

__all__ = [
    "FINISHED",
    "FrameFile",
    "LandingDamage",
    "Tidied",
    "copy_file",
    "copy_private",
    "reencryption",
    "replace_with",
    "tidy_landing",
]
