"""A list as it is asked for, and the text by which landed pages tell which request they answer.

What does not belong here: asking (`page_landing`), what came of it (`list_progress`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from fullscript_pipeline.api import ClinicSession


def request_key(session: ClinicSession, parent: str | None, params: Mapping[str, str] | None) -> str:
    filters = "&".join(f"{name}={value}" for name, value in sorted((params or {}).items()))
    return f"{session.clinic.clinic_key}/{parent or ''}?{filters}"


@dataclass(frozen=True, kw_only=True)
class ListRequest:
    """A list, as it is asked for."""

    session: ClinicSession
    endpoint: str
    path: Mapping[str, str]
    params: Mapping[str, str]

    @property
    def patient(self) -> str | None:
        """Whose list it is, if it is one patient's."""
        return self.path.get("patient_id") or self.params.get("patient_id")

    @property
    def is_filtered(self) -> bool:
        """Whether it is everybody's list, filtered by a patient."""
        return "patient_id" in self.params

    @property
    def parent(self) -> str | None:
        return next(iter(self.path.values()), None)

    @property
    def key(self) -> str:
        return request_key(self.session, self.parent, self.params)
