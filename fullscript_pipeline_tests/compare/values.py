"""A JSON value as its column should hold it: empty text is nothing, numbers are exact, instants are UTC."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any


def text(value: Any) -> str | None:
    return None if value in (None, "") else str(value)


def number(value: Any) -> Decimal | None:
    return None if value in (None, "") else Decimal(str(value))


def whole(value: Any) -> int | None:
    return None if value in (None, "") else int(value)


def instant(value: Any) -> datetime | None:
    return None if value in (None, "") else datetime.fromisoformat(value).astimezone(UTC)


def day(value: Any) -> date | None:
    return None if value in (None, "") else date.fromisoformat(value[:10])


def of(record: Any, *path: str) -> Any:
    """The value at a path of objects; None where there is none."""
    for key in path:
        record = record.get(key) if isinstance(record, dict) else None
    return record
