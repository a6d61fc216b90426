"""Judges answers as a whole: wrappers, paging, filters, feeds, errors, tokens. Each function has the name of its fact.

What does not belong here: what records look like (`judges_of_records`), the facts (`facts.toml`).
"""

from collections.abc import Iterable

from fullscript_pipeline.api import ENDPOINTS
from fullscript_pipeline.probe.probe_report import ProbeReport, SeenFilter, SeenPaging
from fullscript_pipeline.probe.verdict import UNKNOWN, FactVerdict, differs_if
from fullscript_pipeline.regions import REGIONS

_META = {"current_page", "next_page", "prev_page", "total_pages", "total_count"}
_SAMPLE_SIZE = 20
_LATE_SECONDS = 600
_CLOCK_SECONDS = 60
_REQUESTED_ENCODINGS = {"none", "gzip", "deflate", "zstd", "br", "identity"}
_LAB_ENDPOINTS = {name for name, endpoint in ENDPOINTS.items() if "/lab" in endpoint.path}
# What a server of North America may count days by.
_LOCAL_OFFSETS = range(-10, -2)


def reachable(report: ProbeReport) -> FactVerdict:
    asked = {name: seen for name, seen in report.endpoints.items() if seen.outcome != "not requested"}
    wrong = [
        f"{name} {seen.status or ''}".strip()
        for name, seen in asked.items()
        if seen.outcome != "answered"
        and not (ENDPOINTS[name].restricted and seen.outcome == "refused")
        and not (name in _LAB_ENDPOINTS and not REGIONS[report.region].has_labs)
    ]
    return differs_if(differs=bool(wrong) if asked else None, seen=", ".join(wrong[:8]))


def wrapper_keys(report: ProbeReport) -> FactVerdict:
    seen = {
        name: answer.wrapper
        for name, answer in report.endpoints.items()
        if answer.outcome == "answered" and name != "event" and answer.wrapper is not None
    }
    other = [f"{name}: {key or 'none'}" for name, key in seen.items() if key != ENDPOINTS[name].wrapper_keys[0]]
    return differs_if(differs=bool(other) if seen else None, seen=", ".join(other[:8]))


def event_wrapper(report: ProbeReport) -> FactVerdict:
    event = report.endpoints["event"]
    return differs_if(differs=bool(event.outer) if event.records.count else None)


def bare_event(report: ProbeReport) -> FactVerdict:
    event = report.endpoints["event"]
    return differs_if(differs=event.wrapper == "" if event.records.count else None)


def event_data(report: ProbeReport) -> FactVerdict:
    nested = [feed.nested for feed in report.feeds.values() if feed.nested is not None]
    return differs_if(differs=not all(nested) if nested else None)


def feed_order(report: ProbeReport) -> FactVerdict:
    orders = {name: feed.order for name, feed in report.feeds.items() if feed.order not in ("", "all at once")}
    seen = ", ".join(sorted(set(orders.values())))
    return differs_if(differs=set(orders.values()) != {"oldest first"} if orders else None, seen=seen)


def feed_sorting(report: ProbeReport) -> FactVerdict:
    followed = [feed.follows_sort_by for feed in report.feeds.values() if feed.follows_sort_by is not None]
    return differs_if(differs=not all(followed) if followed else None)


def event_delay(report: ProbeReport) -> FactVerdict:
    delays = [feed.delay_seconds for feed in report.feeds.values() if feed.delay_seconds is not None]
    seen = f"up to {max(delays):,.0f} s" if delays else ""
    return differs_if(differs=max(delays) > _LATE_SECONDS if delays else None, seen=seen)


def meta(report: ProbeReport) -> FactVerdict:
    pagings = _pagings(report, nested=False)
    lacking = {key for paging in pagings for key in _META - set(paging.meta)}
    return differs_if(differs=bool(lacking) if pagings else None, seen=", ".join(sorted(lacking)))


def nested_whole(report: ProbeReport) -> FactVerdict:
    return differs_if(differs=_none_if_unseen(report, pages=False))


def nested_meta(report: ProbeReport) -> FactVerdict:
    return differs_if(differs=_none_if_unseen(report, pages=True))


def default_size(report: ProbeReport) -> FactVerdict:
    sizes = {size for paging in _pagings(report, nested=False) if (size := paging.default_size) is not None}
    seen = ", ".join(map(str, sorted(sizes)))
    return differs_if(differs=sizes != {_SAMPLE_SIZE} if sizes else None, seen=seen)


def page_size(report: ProbeReport) -> FactVerdict:
    return _all_true(paging.honours_size for paging in _pagings(report, nested=False))


def stable_order(report: ProbeReport) -> FactVerdict:
    return _all_true(paging.keeps_order for paging in _pagings(report, nested=False))


def total_count(report: ProbeReport) -> FactVerdict:
    return _all_true(paging.counts_all for paging in _pagings(report, nested=False))


def empty_list(report: ProbeReport) -> FactVerdict:
    pages = report.empty_list_pages
    return differs_if(differs=None if pages is None else pages > 0)


def filter_edges(report: ProbeReport) -> FactVerdict:
    extra = [extra for seen in report.filters.values() if (extra := _counted_twice(seen)) is not None]
    return differs_if(differs=any(extra) if extra else None)


def filter_range(report: ProbeReport) -> FactVerdict:
    known = [seen for seen in report.filters.values() if seen.on and seen.one_day_range is not None]
    return differs_if(differs=any(seen.one_day_range != seen.on for seen in known) if known else None)


def filter_zone(report: ProbeReport) -> FactVerdict:
    known = [set(seen.offsets) for seen in report.filters.values() if seen.offsets]
    if not known:
        return UNKNOWN
    fitting = set.intersection(*known)
    local = fitting & {float(hours) for hours in _LOCAL_OFFSETS}
    if 0.0 not in fitting:
        return differs_if(differs=True if local else None, seen=", ".join(f"UTC{hours:+g}" for hours in sorted(local)))
    return UNKNOWN if local else differs_if(differs=False)


def error_lists(report: ProbeReport) -> FactVerdict:
    return _error_form(report, "errors: list of objects")


def error_object(report: ProbeReport) -> FactVerdict:
    return _error_form(report, "error: object")


def scope_status(report: ProbeReport) -> FactVerdict:
    return differs_if(differs=401 in report.refusals if report.refusals else None)


def request_ids(report: ProbeReport) -> FactVerdict:
    return differs_if(differs="x-request-id" not in report.headers if report.headers else None)


def compression(report: ProbeReport) -> FactVerdict:
    used = set(report.encodings)
    return differs_if(differs=bool(used - _REQUESTED_ENCODINGS) if used else None, seen=", ".join(sorted(used)))


def limit_headers(report: ProbeReport) -> FactVerdict:
    named = [name for name in report.headers if "ratelimit" in name.replace("-", "") or name == "retry-after"]
    return differs_if(differs=bool(named) if report.headers else None, seen=", ".join(named))


def clock(report: ProbeReport) -> FactVerdict:
    seconds = report.clock_skew_seconds
    return differs_if(
        differs=None if seconds is None else abs(seconds) > _CLOCK_SECONDS,
        seen="" if seconds is None else f"{seconds:+.0f} s",
    )


def token_owner(report: ProbeReport) -> FactVerdict:
    return differs_if(differs=report.tokens.owner_has_clinic if report.tokens else None)


def new_refresh_token(report: ProbeReport) -> FactVerdict:
    brought = report.tokens.new_refresh_token if report.tokens else None
    return differs_if(differs=None if brought is None else not brought)


def rotation(report: ProbeReport) -> FactVerdict:
    seen = report.tokens
    if seen is None or not seen.new_refresh_token or seen.old_works_before_use is None:
        return UNKNOWN
    return differs_if(differs=not seen.old_works_before_use or seen.old_works_after_use is True)


def session_grants(report: ProbeReport) -> FactVerdict:
    return UNKNOWN


def webhook_bodies(report: ProbeReport) -> FactVerdict:
    return UNKNOWN


def _pagings(report: ProbeReport, *, nested: bool) -> list[SeenPaging]:
    return [
        seen.paging
        for name, seen in report.endpoints.items()
        if seen.paging is not None and ("{" in ENDPOINTS[name].path) == nested
    ]


def _none_if_unseen(report: ProbeReport, *, pages: bool) -> bool | None:
    """Whether lists of one object have no meta, and pages or none; None where no such list has two rows."""
    pagings = [paging for paging in _pagings(report, nested=True) if paging.honours_size is not None]
    if not pagings:
        return None
    return any(not paging.meta and paging.honours_size == pages for paging in pagings)


def _all_true(values: Iterable[bool | None]) -> FactVerdict:
    known = [value for value in values if value is not None]
    return differs_if(differs=not all(known) if known else None)


def _counted_twice(seen: SeenFilter) -> bool | None:
    """Whether the rows of a day are counted by `<`, `>` or both too; None where that cannot be seen."""
    counts = (seen.before, seen.on, seen.after, seen.total)
    if not seen.on or any(count is None for count in counts):
        return None
    before, on, after, total = (count or 0 for count in counts)
    return before + on + after > total


def _error_form(report: ProbeReport, form: str) -> FactVerdict:
    forms = report.error_bodies
    seen = ", ".join(f"{status}: {name}" for status, name in sorted(forms.items()))
    return differs_if(differs=form in forms.values() if forms else None, seen=seen)
