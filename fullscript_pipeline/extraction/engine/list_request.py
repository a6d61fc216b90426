"""A request for a list, and the key by which a landed page names the request that it answers.

What does not belong here: sending it (`page_landing`), the pages that came (`list_progress`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from fullscript_pipeline.api import ClinicSession


def request_key(session: ClinicSession, parent: str | None, params: Mapping[str, str] | None) -> str:
    filters = "&".join(f"{name}={value}" for name, value in sorted((params or {}).items()))
    return f"{session.clinic.clinic_key}/{parent or ''}?{filters}"


@dataclass(frozen=True, kw_only=True)
class ListRequest:
    """A request for a list: its endpoint, path and filters."""

    session: ClinicSession
    endpoint: str
    path: Mapping[str, str]
    params: Mapping[str, str]

    @property
    def patient(self) -> str | None:
        """The patient whose list it is, if any."""
        return self.path.get("patient_id") or self.params.get("patient_id")

    @property
    def is_filtered(self) -> bool:
        """Whether the list of all is filtered by a patient."""
        return "patient_id" in self.params

    @property
    def parent(self) -> str | None:
        return next(iter(self.path.values()), None)

    @property
    def key(self) -> str:
        return request_key(self.session, self.parent, self.params)
