"""Adherence: dosage text, supply and coverage as pure functions and SQL; no file is opened here."""

from fullscript_pipeline.adherence.dosage import Dosage, parse_dosage
from fullscript_pipeline.adherence.frames import measure
from fullscript_pipeline.adherence.policy import Policy

__all__ = ["Dosage", "Policy", "measure", "parse_dosage"]
