"""Protocols and resources for re-use: Fullscript's own, and those of each practitioner.

`pull_library` also pulls what is read in the same step. What does not belong here: plans of patients
(`treatment_plans`), optional resources (`optional_resources`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import orjson

from fullscript_pipeline.api import ClinicSession
from fullscript_pipeline.extraction.engine import (
    SWEEP_DAYS,
    DetailSource,
    Load,
    Pull,
    Report,
    Target,
    complete_from_details,
    in_parallel,
)
from fullscript_pipeline.extraction.pulls.external_ids import pull_external_ids
from fullscript_pipeline.extraction.pulls.landed_records import REFUSALS, iter_parsed, replace_record
from fullscript_pipeline.extraction.pulls.webhook_deliveries import pull_deliveries
from fullscript_pipeline.ids import id_text, requestable_ids
from fullscript_pipeline.plural import counted
from fullscript_pipeline.resources.documents import PRACTITIONER_RESOURCES, RESOURCES
from fullscript_pipeline.resources.people import PRACTITIONERS
from fullscript_pipeline.resources.protocols import PRACTITIONER_PROTOCOLS, PROTOCOLS
from fullscript_pipeline.warehouse import Line
from fullscript_pipeline.warehouse.loading import EVERYTHING, Among, open_by_table


def pull_library(target: Target, session: ClinicSession, sweep_days: int = SWEEP_DAYS) -> list[Report]:
    """Pulls protocols, resources, external ids and webhook deliveries of a clinic."""
    return [
        pull_protocols(target, session, sweep_days),
        pull_resources(target, session),
        pull_external_ids(target, session),
        pull_deliveries(target, session),
    ]


def pull_protocols(target: Target, session: ClinicSession, sweep_days: int = SWEEP_DAYS) -> Report:
    """Pulls Fullscript's protocols, and each practitioner's: their own and those shared with them."""
    pull = Pull(target, "protocols")
    walked = _walk_paired_lists(
        pull,
        session,
        of_fullscript="fullscript_protocols",
        of_practitioner="practitioner_protocols",
        params={"ownership_type": "all"},
    )
    if walked.refusal:
        return pull.record_refusal(walked.refusal)
    detail = DetailSource(endpoint="protocol", table=PROTOCOLS, arrays=("recommendations",))
    try:
        rows = complete_from_details(pull, session, detail, walked.lines, sweep_days=sweep_days)
    except REFUSALS as refusal:
        return pull.record_refusal(str(refusal))
    return pull.commit(
        Load(table=PROTOCOLS, lines=rows.lines, missing_among=walked.missing_among, after=rows.after),
        Load(
            table=PRACTITIONER_PROTOCOLS,
            lines=lambda: map(_protocol_membership, pull.file.lines("practitioner_protocols")),
            missing_among=walked.missing_among,
        ),
    )


def pull_resources(target: Target, session: ClinicSession) -> Report:
    """Pulls Fullscript's resources, and each practitioner's."""
    pull = Pull(target, "resources")
    walked = _walk_paired_lists(
        pull, session, of_fullscript="fullscript_resources", of_practitioner="practitioner_resources", params={}
    )
    if walked.refusal:
        return pull.record_refusal(walked.refusal)
    return pull.commit(
        Load(table=RESOURCES, lines=walked.lines, missing_among=walked.missing_among),
        Load(
            table=PRACTITIONER_RESOURCES,
            lines=lambda: (
                replace_record(line, {"name": record.get("name")})
                for line, record in iter_parsed(pull, "practitioner_resources")
            ),
            missing_among=walked.missing_among,
        ),
    )


@dataclass(frozen=True, kw_only=True)
class _PairedLists:
    """Two lists of one kind: the practitioners' first, so that Fullscript's row of the same id wins."""

    lines: Callable[[], Iterator[Line]]
    missing_among: Among | None
    refusal: str | None = None


def _walk_paired_lists(
    pull: Pull, session: ClinicSession, *, of_fullscript: str, of_practitioner: str, params: dict[str, str]
) -> _PairedLists:
    """Lands Fullscript's list and each practitioner's. `refusal` is set when none of them may be read.

    With a practitioner in quarantine a list is missing, so absence proves nothing.
    """
    refusals: list[str] = []

    def walk(endpoint: str, practitioner: str | None = None) -> bool:
        path = {"practitioner_id": practitioner} if practitioner else {}
        try:
            return pull.walk(session, endpoint, path=path, params=params if practitioner else {}).complete
        except REFUSALS as refusal:
            refusals.append(str(refusal))
            return False

    practitioners = practitioner_ids(pull)
    complete = [
        walk(of_fullscript),
        *in_parallel(lambda practitioner: walk(of_practitioner, practitioner), practitioners),
    ]

    def lines() -> Iterator[Line]:
        yield from pull.file.lines(of_practitioner)
        yield from pull.file.lines(of_fullscript)

    all_refused = len(refusals) == len(practitioners) + 1
    is_complete = all(complete) and not _has_unreadable_practitioners(pull)
    return _PairedLists(
        lines=lines, missing_among=EVERYTHING if is_complete else None, refusal=refusals[0] if all_refused else None
    )


def _has_unreadable_practitioners(pull: Pull) -> bool:
    clinic_id = pull.target.clinic.clinic_id if pull.target.clinic else ""
    with pull.target.warehouse.read() as con:
        number = open_by_table(con, clinic_id).get(PRACTITIONERS.name, 0)
    if number:
        pull.summary.add_caution(
            f"{counted(number, 'practitioner')} in quarantine, so nothing that the lists lack is marked"
        )
    return number > 0


def practitioner_ids(pull: Pull) -> list[str]:
    """Returns the clinic's stored practitioners."""
    clinic_id = pull.target.clinic.clinic_id if pull.target.clinic else None
    with pull.target.warehouse.read() as con:
        rows = con.execute(
            "SELECT practitioner_id FROM core.practitioners WHERE clinic_id = ? AND removed_at IS NULL ORDER BY 1",
            [clinic_id],
        ).fetchall()
    return requestable_ids(practitioner for (practitioner,) in rows)


def _protocol_membership(line: Line) -> Line:
    """Returns that a practitioner sees a protocol, without the protocol's fields."""
    record = orjson.loads(line.record)
    author = record.get("practitioner")
    author_id = id_text(author.get("id") if isinstance(author, dict) else record.get("practitioner_id"))
    ownership = None if author_id is None else "owned" if author_id == line.parent_id else "shared"
    return replace_record(line, {"name": record.get("name"), "ownership": ownership})
