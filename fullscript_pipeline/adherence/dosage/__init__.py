"""Dosage texts, in English and French: `parse_dosage` reads them into exact units per day or says why it cannot.

A tokenizer (tokens.py), two vocabularies as data (english.toml, french.toml; lexicon.py), a small grammar over tokens
(grammar.py and its rules) and what its facts mean together (meaning.py). What does not belong here: supply, coverage.
"""

from fullscript_pipeline.adherence.dosage.folding import fold_unit
from fullscript_pipeline.adherence.dosage.reader import TEXTS, parse_dosage
from fullscript_pipeline.adherence.dosage.result import Dosage

__all__ = ["TEXTS", "Dosage", "fold_unit", "parse_dosage"]
