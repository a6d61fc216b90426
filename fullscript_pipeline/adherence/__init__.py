"""Adherence: dosage text, supply and coverage as pure functions and SQL; no file is opened here."""

from fullscript_pipeline.adherence.dosage import Dosage, parse_dosage
from fullscript_pipeline.adherence.frames import measure
from fullscript_pipeline.adherence.mart import build_adherence
from fullscript_pipeline.adherence.policy import Policy

__all__ = ["Dosage", "Policy", "build_adherence", "measure", "parse_dosage"]
