"""One pull of one resource: landing every page (`page_landing`), then one transaction.

What does not belong here: which endpoints to fetch (`extraction.pulls`), and HTTP.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import duckdb

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicSession, ScopeError
from fullscript_pipeline.extraction.engine.landing_lock import release_lock
from fullscript_pipeline.extraction.engine.list_progress import FetchedList
from fullscript_pipeline.extraction.engine.page_landing import PageLanding
from fullscript_pipeline.extraction.engine.pull_types import Load, Report, Target, in_parallel, missing_ids
from fullscript_pipeline.plural import counted
from fullscript_pipeline.resources.types import Table
from fullscript_pipeline.warehouse.event_log import event_proof
from fullscript_pipeline.warehouse.loading import Context, Counts, drift, join_scopes, load, narrower_views, pull_log

__all__ = ["FetchedList", "Load", "Pull", "Report", "Target", "in_parallel", "missing_ids", "read_by_id"]


class Pull(PageLanding):
    """Lands and commits one resource for one partition."""

    def commit(self, *loads: Load, total_count: int | None = None) -> Report:
        """Stores rows, history and `ops.pulls` in one transaction. Only then the landing file counts as finished.

        A pull with tokens of several users proves no absence.
        """
        counts: dict[str, Counts] = {}
        self.require_right_clock()
        view = self.view
        proving = [load if view or not self._views else _without_proof(load) for load in loads]
        is_mixed = proving != [*loads]
        with self.target.warehouse.write() as con:
            context = self._context(con)
            for load_part in proving:
                loaded = load(
                    con,
                    load_part.table,
                    load_part.lines,
                    load_part.scoped(context),
                    missing_among=load_part.missing_among,
                    gone=load_part.gone,
                    listed=load_part.listed,
                    size=self.file.size,
                )
                counts[load_part.table.name] = counts.get(load_part.table.name, Counts()) + loaded
                is_narrowed = narrower_views.is_narrowed(con, context, load_part.table, loaded)
                event_proof.answer_events(con, load_part.table, self._proof(load_part, is_narrowed=is_narrowed))
                # Held removals are checked again at the next pull, so the rows must not count as read.
                if load_part.after and not counts[load_part.table.name].held:
                    load_part.after(con)
            main = counts.get(loads[0].table.name, Counts()) if loads else Counts()
            caution = self._make_caution(
                counts, narrower_views.narrowing_sentences(con, context, counts), is_mixed=is_mixed
            )
            row = replace(
                self._pull_row("loaded", caution, total_count),
                complete=bool(proving and proving[0].missing_among),
                listed_by=view.user_id if view else None,
                scopes=join_scopes(view.scopes) if view else None,
                held=sum(count.held for count in counts.values()),
                unproven=sum(count.unproven for count in counts.values()),
                left_out=self.left_out_count,
            )
            pull_log.record(con, context, row, main)
            drift.record(con, context, [*self._drift, *self._differences.differences()])
        self._finish()
        return self._make_report("loaded", row.reason, counts, total_count)

    def _proof(self, load: Load, *, is_narrowed: bool) -> event_proof.Proof:
        """Returns what proves events answered. A narrowed view proves by what it shows, not by what it lacks."""
        if is_narrowed:
            return event_proof.Proof(
                self.read_since, unread=load.unread, refused=load.refused, left_out=self.left_out_ids
            )
        return event_proof.Proof(
            read_since=self.read_since,
            gone=load.gone,
            unread=load.unread,
            covers_events=load.covers_events,
            refused=load.refused,
            answers=load.answers,
            left_out=self.left_out_ids,
        )

    def _make_caution(self, counts: Mapping[str, Counts], narrower: Sequence[str], *, is_mixed: bool) -> str | None:
        """Returns what a reader should know of a pull although it was loaded."""
        held = sum(count.held for count in counts.values())
        cautions = self._cautions[:1]
        if len(self._cautions) > 1:
            cautions.append(f"and {len(self._cautions) - 1} more lists")
        if left := self.left_out_count:
            cautions.append(f"{counted(left, 'record')} of people who were purged left out")
        if held:
            cautions.append(f"{counted(held, 'row')} missing at once, too many to believe: nothing was marked")
        if is_mixed:
            cautions.append("read with the tokens of several users, or of one that is not noted: nothing was marked")
        cautions += sorted({warning for session in self._usage_before if (warning := session.server_clock.warning)})
        return "; ".join([*cautions, *narrower]) or None

    def record_refusal(self, reason: str) -> Report:
        """Records that this clinic (or region) may not read the resource. That is no failure."""
        self.require_right_clock()
        with self.target.warehouse.write() as con:
            pull_log.record(con, self._context(con), self._pull_row("not_available", reason), Counts())
        self._finish()
        return self._make_report("not_available", reason, {}, None)

    def _context(self, con: duckdb.DuckDBPyConnection) -> Context:
        """The observation time is never before the last one: a slow pull must not write behind a newer one."""
        last = pull_log.last_observation(con)
        observed = max(self.observed_at, last) if last else self.observed_at
        clinic = self.target.clinic
        return Context(
            server=self.target.server,
            region=self.target.region,
            clinic_id=clinic.clinic_id if clinic else None,
            clinic_key=clinic.clinic_key if clinic else None,
            observed_at=observed,
            pull_id=self.pull_id,
            view=self.view,
        )

    def _pull_row(self, outcome: str, reason: str | None, total_count: int | None = None) -> pull_log.PullRow:
        return pull_log.PullRow(
            resource=self.resource,
            day=self.target.day,
            run_id=self.target.run_id,
            started_at=self.started_at,
            finished_at=clock.real_now(),
            outcome=outcome,
            reason=reason,
            requests=self._sent(),
            pages=self.file.appended_pages,
            retries=self._retries(),
            total_count=total_count,
            bill_requests=self._estimated_requests(),
            read_at=self.observed_at,
        )

    def _make_report(
        self, outcome: str, reason: str | None, counts: Mapping[str, Counts], total_count: int | None
    ) -> Report:
        return Report(
            resource=self.resource,
            outcome=outcome,
            reason=reason,
            counts=counts,
            requests=self._sent(),
            pages=self.file.appended_pages,
            retries=self._retries(),
            total_count=total_count,
            seconds=round((clock.real_now() - self.started_at).total_seconds(), 3),
            estimated_requests=self._estimated_requests(),
        )

    def _estimated_requests(self) -> int | None:
        return self.target.request_estimate.get((self.target.owner, self.resource))

    def _finish(self) -> None:
        self.file.finish()
        release_lock(self._lock)


def _without_proof(load: Load) -> Load:
    """Drops what absence would prove, but for a region's products: they are gone when every clinic answers 404."""
    return replace(load, missing_among=None, gone=() if load.table.scope == "clinic" else load.gone)


def read_by_id(target: Target, session: ClinicSession, endpoint: str, table: Table, ids: Sequence[str]) -> Report:
    """Pulls these objects by id. One that answers 404 is gone."""
    pull = Pull(target, f"{table.name}_by_id")
    try:
        gone = missing_ids(ids, in_parallel(lambda object_id: pull.land_object(session, endpoint, object_id), ids))
    except ScopeError as refusal:
        return pull.record_refusal(str(refusal))
    return pull.commit(Load(table=table, lines=pull.lines(endpoint), gone=gone, listed=()))
