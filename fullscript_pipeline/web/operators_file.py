"""What the pipeline wrote for operators: how current each clinic and catalog is, and what every check found.

What does not belong here: who may see it (`visitors`), HTML.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fullscript_pipeline.files import Files
from fullscript_pipeline.json_text import parse_json
from fullscript_pipeline.portal_store import PageSeal

FILE = "operators.json"
VERSION = 1
# What needs somebody comes first.
_ORDER = ("fail", "warn", "skip", "pass")


@dataclass(frozen=True, kw_only=True)
class ClinicCoverage:
    """How current a clinic is; `status`: ok, needs_connect or removed."""

    clinic_key: str
    region: str
    server: str
    status: str
    connected_at: datetime | None
    pulled_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class CatalogCoverage:
    """How current a region's catalog is."""

    region: str
    read_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """What one check found, in the words of `doctor`; `state`: pass, warn, fail or skip."""

    id: str
    state: str
    what: str
    fix: str | None


@dataclass(frozen=True, kw_only=True)
class Overview:
    """The file."""

    written_at: datetime
    clinics: Sequence[ClinicCoverage]
    catalogs: Sequence[CatalogCoverage]
    findings: Sequence[CheckResult]

    def count(self, state: str) -> int:
        return sum(finding.state == state for finding in self.findings)


def read_overview(pages: Files, seal: PageSeal) -> Overview | None:
    """None: it was not written yet, or is of another version. Raises ConfigurationError for one of another key."""
    try:
        if (stored := pages.get(FILE)) is None:
            return None
        content = parse_json(seal.open(stored, FILE))
        return _parsed(content) if content["version"] == VERSION else None
    except (ValueError, KeyError, TypeError):
        return None


def _parsed(content: Mapping[str, Any]) -> Overview:
    findings = [
        CheckResult(id=row["id"], state=row["state"], what=row["what"], fix=row["fix"]) for row in content["findings"]
    ]
    return Overview(
        written_at=datetime.fromisoformat(content["written_at"]),
        clinics=[_clinic(row) for row in content["clinics"]],
        catalogs=[
            CatalogCoverage(region=row["region"], read_at=_moment(row["read_at"])) for row in content["catalogs"]
        ],
        findings=sorted(findings, key=lambda finding: _ORDER.index(finding.state)),
    )


def _clinic(row: Mapping[str, Any]) -> ClinicCoverage:
    return ClinicCoverage(
        clinic_key=row["clinic_key"],
        region=row["region"],
        server=row["server"],
        status=row["status"],
        connected_at=_moment(row["connected_at"]),
        pulled_at=_moment(row["pulled_at"]),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
