"""What a clinic's pages are like: their language and time zone, and whether they show how to reach a patient.

A clinic's own choice (`clinics set`) counts before its address, and that before the setting. What does not belong
here: making the pages (`reports`), and which day it is, which is FULLSCRIPT_TIME_ZONE for all clinics.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import select

from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.settings import Language, Settings
from fullscript_pipeline.state.address_time_zones import zone_of_clinic_record
from fullscript_pipeline.state.database import insert_into
from fullscript_pipeline.state.directory_facts import DirectoryFacts
from fullscript_pipeline.state.part import StorePart
from fullscript_pipeline.state.schema import clinic_choices
from fullscript_pipeline.state.token_store import of_clinic

ZoneSource = Literal["clinic", "address", "setting"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicChoices:
    """What is stored of a clinic; None: nothing. `address_time_zone` is of the address in the API's record."""

    language: Language | None = None
    time_zone: ZoneInfo | None = None
    address_time_zone: ZoneInfo | None = None


class ClinicChoiceRecords(StorePart):
    """What each clinic has chosen. The choices survive `disconnect` and a new `connect`; `purge` deletes them."""

    def get(self, clinic: ClinicRef) -> ClinicChoices:
        with self.db.read() as connection:
            row = connection.execute(select(clinic_choices).where(of_clinic(clinic_choices, clinic))).first()
        if row is None:
            return ClinicChoices()
        return ClinicChoices(
            language=row.language,
            time_zone=_zone(row.time_zone),
            address_time_zone=_zone(row.address_time_zone),
        )

    def set(self, clinic: ClinicRef, *, language: Language | None = None, time_zone: ZoneInfo | None = None) -> None:
        """Stores what is given; None keeps what is stored."""
        chosen = {"language": language, "time_zone": time_zone and time_zone.key}
        self._store(clinic, {name: choice for name, choice in chosen.items() if choice})

    def store_address_zone(self, clinic: ClinicRef, record: Mapping[str, Any]) -> None:
        """Stores the zone of the address in the API's record of the clinic, if there is one and it is a new one."""
        zone = zone_of_clinic_record(record)
        if zone and zone != self.get(clinic).address_time_zone:
            self._store(clinic, {"address_time_zone": zone.key})

    def _store(self, clinic: ClinicRef, changed: dict[str, str]) -> None:
        key = {"server": clinic.server, "clinic_id": clinic.clinic_id}
        with self.db.write() as connection:
            statement = insert_into(connection, clinic_choices).values(key | changed)
            connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=changed or key))


def clinic_language(settings: Settings, choices: ClinicChoiceRecords, clinic: ClinicRef) -> Language:
    """The language of the clinic's pages."""
    return choices.get(clinic).language or settings.language


def clinic_time_zone(settings: Settings, choices: ClinicChoiceRecords, clinic: ClinicRef) -> ZoneInfo:
    """The zone that the clinic's pages show times in."""
    return zone_with_source(settings, choices.get(clinic))[0]


def zone_with_source(settings: Settings, choices: ClinicChoices) -> tuple[ZoneInfo, ZoneSource]:
    """The zone of a clinic's pages, and what decides it."""
    if choices.time_zone:
        return choices.time_zone, "clinic"
    if choices.address_time_zone:
        return choices.address_time_zone, "address"
    return settings.time_zone, "setting"


def pages_show_contact(settings: Settings, facts: DirectoryFacts) -> bool:
    """Whether pages show e-mail addresses and telephone numbers.

    Unset: pages of a data directory that an earlier version made do not, since they may already be shared.
    """
    return facts.made_with_contact_on_pages() if settings.pages_contact is None else settings.pages_contact


def _zone(name: str | None) -> ZoneInfo | None:
    return ZoneInfo(name) if name else None
