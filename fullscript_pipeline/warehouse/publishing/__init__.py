"""Copies for analysts, and exports."""

from fullscript_pipeline.warehouse.publishing.deidentify import Deidentified, EmptyCopy
from fullscript_pipeline.warehouse.publishing.export import Format, export
from fullscript_pipeline.warehouse.publishing.publish import (
    PUBLISHED,
    CopyOptions,
    Level,
    Published,
    options_of_copies,
    publish,
)

__all__ = [
    "PUBLISHED",
    "CopyOptions",
    "Deidentified",
    "EmptyCopy",
    "Format",
    "Level",
    "Published",
    "export",
    "options_of_copies",
    "publish",
]
