"""A clinic in an in-memory warehouse, written the way the loader writes it: versions with valid_from and valid_to.

What does not belong here: expectations.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import duckdb

from fullscript_pipeline.adherence import build_adherence
from fullscript_pipeline.adherence.engine import sql_text
from fullscript_pipeline.settings import AdherencePolicy
from fullscript_pipeline.warehouse.upgrades import statements

FIRST_PULL = date(2026, 1, 10)
DAILY = {"amount": "2", "frequency": "once per day", "duration": "Ongoing", "format": "capsule"}


def noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


def line(variant_id: str = "zinc-60", dosage: Mapping[str, str | None] | None = None, **more: Any) -> dict[str, Any]:
    """A recommendation: 2 capsules a day of the 60-count zinc unless told otherwise."""
    texts = {f"dosage_{key}": value for key, value in (DAILY | dict(dosage or {})).items()}
    return {"variant_id": variant_id, "refill": True, "units_to_purchase": 1} | texts | more


@dataclass
class Clinic:
    """One clinic (`c1`, region us) with a zinc product in two pack sizes."""

    con: duckdb.DuckDBPyConnection = field(default_factory=duckdb.connect)

    def __post_init__(self) -> None:
        self.con.execute("SET threads = 1")
        for statement in statements([sql_text("marts")]):
            self.con.execute(statement)
        self.insert("core.clinics", clinic_id="c1", clinic_key="green-hill", region="us", name="Green Hill")
        self.product("zinc", {"zinc-60": (60, "capsules"), "zinc-120": (120, "Vegetarian Capsules")})

    def insert(self, table: str, **values: Any) -> None:
        marks = ", ".join("?" for _ in values)
        self.con.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", list(values.values()))

    def product(self, product_id: str, variants: Mapping[str, tuple[object, str | None]]) -> None:
        self.insert("history.brands", region="us", brand_id="b1", name="Brand", valid_from=noon(FIRST_PULL))
        self.insert(
            "history.products",
            region="us",
            product_id=product_id,
            name=product_id.title(),
            brand_id="b1",
            valid_from=noon(FIRST_PULL),
        )
        self.con.execute("DELETE FROM history.brands WHERE rowid > 0")
        for variant_id, (units, unit) in variants.items():
            self.insert(
                "history.variants",
                region="us",
                variant_id=variant_id,
                product_id=product_id,
                units=None if units is None else Decimal(str(units)),
                unit_of_measure=unit,
                valid_from=noon(FIRST_PULL),
            )

    def plan(
        self,
        lines: Sequence[Mapping[str, Any]],
        *,
        plan_id: str = "t1",
        patient_id: str = "p1",
        state: str | None = "active",
        on: date | None = None,
        seen: date = FIRST_PULL,
        **more: Any,
    ) -> None:
        """A plan of that content, seen on a day; the version before it ends there."""
        created = on or date(2025, 10, 1)
        where = "clinic_id = 'c1' AND treatment_plan_id = ? AND valid_to IS NULL"
        for table in ("treatment_plans", "recommendations"):
            self.con.execute(f"UPDATE history.{table} SET valid_to = ? WHERE {where}", [noon(seen), plan_id])
        values = {"created_on": created, "available_at": created, "updated_on": created, "practitioner_id": "d1"} | more
        key = {"clinic_id": "c1", "treatment_plan_id": plan_id}
        self.insert(
            "history.treatment_plans", **key, patient_id=patient_id, state=state, valid_from=noon(seen), **values
        )
        for position, line in enumerate(lines):
            self.insert("history.recommendations", **key, position=position, valid_from=noon(seen), **line)

    def order(
        self,
        on: date | None,
        variant_id: str = "zinc-60",
        quantity: int | None = 1,
        *,
        order_id: str | None = None,
        patient_id: str = "p1",
        line_type: str = "supplement",
        **more: Any,
    ) -> None:
        """An order of one line; the same order_id again adds a line."""
        name = order_id or f"o{self._count('core.order_line_items')}"
        position = self._count(f"core.order_line_items WHERE order_id = '{name}'")
        if not position:
            completed = {"completed_on": on, "completed_at": on and noon(on)}
            values = {"is_refunded": False} | completed | more
            self.insert("core.orders", clinic_id="c1", order_id=name, patient_id=patient_id, **values)
        self.insert(
            "core.order_line_items",
            clinic_id="c1",
            order_id=name,
            position=position,
            variant_id=variant_id,
            quantity=quantity,
            line_type=line_type,
        )

    def event(self, kind: str, on: date, *, plan_id: str = "t1") -> None:
        self.insert(
            "core.events",
            clinic_id="c1",
            event_id=f"e{self._count('core.events')}",
            event_type=kind,
            created_at=datetime.combine(on, time(9), UTC),
            created_on=on,
            resource_id=plan_id,
        )

    def rows(self, as_of: date, policy: AdherencePolicy | None = None, **scope: Any) -> list[dict[str, Any]]:
        """The mart after a rebuild as of the end of that day."""
        build_adherence(self.con, "c1", as_of, policy=policy, **scope)
        return self.table("adherence")

    def row(self, as_of: date, policy: AdherencePolicy | None = None) -> dict[str, Any]:
        (row,) = self.rows(as_of, policy)
        return row

    def table(self, name: str) -> list[dict[str, Any]]:
        cursor = self.con.execute(f"SELECT * FROM marts.{name} ORDER BY ALL")
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]

    def _count(self, table: str) -> int:
        (rows,) = self.con.execute(f"SELECT count(*) FROM {table}").fetchone() or (0,)
        return int(rows)
