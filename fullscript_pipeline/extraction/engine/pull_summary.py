"""What a pull knows of itself: its times, its requests, what it left out, was refused or warns of.

The row of `ops.pulls`, the report and the context of the load are made of it. What does not belong here: fetching,
landing and storing (`pull`).
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import duckdb

from fullscript_pipeline import clock
from fullscript_pipeline.api import REFUSE_AFTER, ClinicSession, WrongClock
from fullscript_pipeline.extraction.engine.answer_origin import envelope_of, view_of_envelope
from fullscript_pipeline.extraction.engine.pull_types import Load, Report, Target
from fullscript_pipeline.plural import counted
from fullscript_pipeline.warehouse import Envelope
from fullscript_pipeline.warehouse.event_log import event_proof
from fullscript_pipeline.warehouse.loading import Context, Counts, View, common_view, join_scopes, pull_log


class PullSummary:
    """Collects what one pull of one resource does, for one partition."""

    def __init__(self, target: Target, resource: str) -> None:
        self.target = target
        self.resource = resource
        self.pull_id = uuid.uuid4().hex
        self.started_at = clock.real_now()
        self.observed_at = clock.now()
        self._observed_steady = clock.steady_seconds()
        # The earliest time that a landed page was read; a resumed page may be older than this pull.
        self.read_since = self.observed_at
        # The reader views of the landed answers.
        self.views: set[View | None] = set()
        self._cautions: list[str] = []
        # Objects that the server refused (403), by endpoint.
        self._refused: dict[str, set[str]] = {}
        # Ids of records that were left out, by endpoint; and marks of those from an interrupted pull.
        self._left_out: dict[str, set[str]] = {}
        self._left_out_before: set[str] = set()
        # Requests and retries of each session before this pull used it.
        self._usage_before: dict[ClinicSession, tuple[int, int]] = {}

    def record_usage(self, session: ClinicSession) -> None:
        """Counts the session's requests from now on as this pull's. Call it before the first of them."""
        self._usage_before.setdefault(session, (sum(session.requests.values()), session.retries))

    def envelope(
        self, session: ClinicSession, fetched_at: datetime, request_id: str | None, parent: str | None = None
    ) -> Envelope:
        """Returns the envelope of an answer that will be landed; its reader view counts from now on."""
        envelope = envelope_of(session, fetched_at, request_id, parent)
        self.views.add(view_of_envelope(envelope))
        return envelope

    def record_left_out(self, endpoint: str, ids: Collection[str]) -> None:
        """Records objects that are not landed because they belong to purged people."""
        self._left_out.setdefault(endpoint, set()).update(ids)

    def record_refused_objects(self, endpoint: str, ids: Collection[str]) -> None:
        """Records that the server refused (403) these objects; the report counts them."""
        if ids:
            self._refused.setdefault(endpoint, set()).update(ids)
            self._cautions.append(f"{counted(len(ids), 'detail')} refused ({endpoint})")

    def add_caution(self, sentence: str) -> None:
        """Adds a sentence to the report: what could not be read, or concluded."""
        self._cautions.append(sentence)

    def resume(self, read_at: datetime | None, view: View | None, left_out: Collection[str]) -> None:
        """Adds what an interrupted pull landed: a page, read at this time in this view, without the rows `left_out`."""
        self.views.add(view)
        self.read_since = min(self.read_since, read_at or self.read_since)
        self._left_out_before.update(left_out)

    def refused(self, endpoint: str) -> frozenset[str]:
        """Returns the objects that the server refused one by one."""
        return frozenset(self._refused.get(endpoint, ()))

    def left_out(self, endpoint: str) -> frozenset[str]:
        """Returns the objects that were left out because they belong to purged people."""
        return frozenset(self._left_out.get(endpoint, ()))

    @property
    def left_out_ids(self) -> frozenset[str]:
        """The left-out objects of all endpoints."""
        return frozenset(object_id for ids in self._left_out.values() for object_id in ids)

    @property
    def view(self) -> View | None:
        """The reader view of everything landed; None when nothing is, or when users or clinics are mixed."""
        return common_view(self.views)

    @property
    def is_mixed(self) -> bool:
        """Whether the tokens of several users read what is landed, or of one that is not known."""
        return bool(self.views) and self.view is None

    def require_right_clock(self) -> None:
        """Raises WrongClock when our time differs from the server's, or was changed during this pull. Call it before a
        load."""
        for session in self._usage_before:
            session.server_clock.require_checked()
        passed = clock.steady_seconds() - self._observed_steady
        changed = clock.now() - self.observed_at - timedelta(seconds=passed)
        if abs(changed) > REFUSE_AFTER and not clock.is_set_by_hand():
            raise WrongClock(
                f"This machine's clock was changed by {round(changed / timedelta(hours=1)):,} hours while "
                f"{self.resource} was read, so nothing was stored: run this again."
            )

    def context(self, con: duckdb.DuckDBPyConnection) -> Context:
        """The observation time is never before the last one: a slow pull must not write behind a newer one."""
        view, clinic = self.view, self.target.clinic
        last = pull_log.last_observation(con)
        return Context(
            server=self.target.server,
            region=self.target.region,
            clinic_id=clinic.clinic_id if clinic else None,
            clinic_key=clinic.clinic_key if clinic else None,
            observed_at=max(self.observed_at, last) if last else self.observed_at,
            pull_id=self.pull_id,
            view=view,
        )

    def caution(self, counts: Mapping[str, Counts], narrower: Sequence[str], *, proof_was_dropped: bool) -> str | None:
        """Returns what a reader should know of a pull although it was loaded."""
        held = sum(count.held for count in counts.values())
        cautions = self._cautions[:1]
        if len(self._cautions) > 1:
            cautions.append(f"and {len(self._cautions) - 1} more lists")
        if left := self._left_out_count:
            cautions.append(f"{counted(left, 'record')} of people who were purged left out")
        if held:
            cautions.append(f"{counted(held, 'row')} missing at once, too many to believe: nothing was marked")
        if proof_was_dropped:
            cautions.append("read with the tokens of several users, or of one that is not noted: nothing was marked")
        cautions += sorted({warning for session in self._usage_before if (warning := session.server_clock.warning)})
        return "; ".join([*cautions, *narrower]) or None

    def row(
        self, outcome: str, reason: str | None, counts: Mapping[str, Counts], *, pages: int, total_count: int | None
    ) -> pull_log.PullRow:
        """Returns the row of `ops.pulls`."""
        view = self.view if outcome == "loaded" else None
        return pull_log.PullRow(
            resource=self.resource,
            day=self.target.day,
            run_id=self.target.run_id,
            started_at=self.started_at,
            finished_at=clock.real_now(),
            outcome=outcome,
            reason=reason,
            requests=self._requests,
            pages=pages,
            retries=self._retries,
            total_count=total_count,
            bill_requests=self._estimated_requests,
            read_at=self.observed_at,
            listed_by=view.user_id if view else None,
            scopes=join_scopes(view.scopes) if view else None,
            held=sum(count.held for count in counts.values()),
            unproven=sum(count.unproven for count in counts.values()),
            left_out=self._left_out_count if outcome == "loaded" else 0,
        )

    def proof(self, load: Load, *, is_narrowed: bool) -> event_proof.Proof:
        """Returns what proves events answered. A narrowed view proves by what it shows, not by what it lacks."""
        shown = event_proof.Proof(
            read_since=self.read_since, unread=load.unread, refused=load.refused, left_out=self.left_out_ids
        )
        if is_narrowed:
            return shown
        return replace(shown, gone=load.gone, covers_events=load.covers_events, answers=load.answers)

    def report(self, row: pull_log.PullRow, counts: Mapping[str, Counts]) -> Report:
        """Returns the result of the pull that this row describes."""
        return Report(
            resource=row.resource,
            outcome=row.outcome,
            reason=row.reason,
            counts=counts,
            requests=row.requests,
            pages=row.pages,
            retries=row.retries,
            total_count=row.total_count,
            seconds=round((clock.real_now() - self.started_at).total_seconds(), 3),
            estimated_requests=row.bill_requests,
        )

    @property
    def _left_out_count(self) -> int:
        """The number of distinct records that were left out."""
        return len(self.left_out_ids) + len(self._left_out_before)

    @property
    def _requests(self) -> int:
        return sum(sum(session.requests.values()) - before for session, (before, _) in self._usage_before.items())

    @property
    def _retries(self) -> int:
        return sum(session.retries - before for session, (_, before) in self._usage_before.items())

    @property
    def _estimated_requests(self) -> int | None:
        return self.target.request_estimate.get((self.target.owner, self.resource))
