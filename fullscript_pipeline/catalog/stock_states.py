"""What a status and an availability say: in stock, out of stock, discontinued; and which variants cannot be had.

Nothing is concluded from other words: a vendor may have more of them than are known here. What does not belong here:
sorting changes (sections.py), sentences (the reports room).
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import duckdb

IN_STOCK = frozenset({"available", "in stock", "active"})
OUT_OF_STOCK = frozenset({"unavailable", "out of stock", "backordered", "back ordered", "on backorder"})
DISCONTINUED = frozenset({"discontinued", "retired", "obsolete", "delisted"})
_VERSIONS = """SELECT variant_id, valid_from, removed_at IS NOT NULL, status, availability FROM history.variants
WHERE region = $region AND list_contains($ids, variant_id) AND known_at <= $at ORDER BY variant_id, valid_from"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """Why a variant cannot be had (`gone`, `discontinued`, `out`), and since when; None: since it was first seen."""

    reason: str
    since: date | None


def fold_state(text: str | None) -> str:
    """A status or an availability in one spelling."""
    return " ".join((text or "").replace("_", " ").replace("-", " ").casefold().split())


def shortage_reason(status: str | None, availability: str | None, *, removed: bool = False) -> str | None:
    """Why a variant in this state cannot be had; None if it can, or if nothing says that it cannot."""
    words = {fold_state(status), fold_state(availability)}
    if removed:
        return "gone"
    if words & DISCONTINUED:
        return "discontinued"
    return "out" if words & OUT_OF_STOCK else None


def load_shortages(
    con: duckdb.DuckDBPyConnection, region: str, *, variant_ids: Collection[str], at: datetime, time_zone: ZoneInfo
) -> Mapping[str, Shortage]:
    """Those of the variants that cannot be had, as known at an instant."""
    values = {"region": region, "ids": sorted(variant_ids), "at": at}
    versions: dict[str, list[tuple[datetime, str | None]]] = {}
    for variant_id, valid_from, removed, status, availability in con.execute(_VERSIONS, values).fetchall():
        reason = shortage_reason(status, availability, removed=removed)
        versions.setdefault(variant_id, []).append((valid_from, reason))
    return {
        variant_id: Shortage(reason=reason, since=_since(history, reason, time_zone))
        for variant_id, history in versions.items()
        if (reason := history[-1][1]) is not None
    }


def _since(history: Iterable[tuple[datetime, str | None]], reason: str, time_zone: ZoneInfo) -> date | None:
    """The day since which this reason has held; None if it has held from the first version on."""
    began: datetime | None = None
    is_first = True
    for place, (valid_from, stated) in enumerate(history):
        if stated != reason:
            began = None
        elif began is None:
            began, is_first = valid_from, place == 0
    return began.astimezone(time_zone).date() if began and not is_first else None
