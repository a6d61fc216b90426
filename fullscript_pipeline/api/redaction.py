"""Redacts URLs for logs, errors and run pages.

An allow list: a query value is masked unless its parameter is known to hold neither a secret nor anything about a
person, so an unknown parameter is masked too. What does not belong here: deciding what to log.
"""

from urllib.parse import parse_qsl, urlsplit

MASK = "***"

_OPEN = frozenset(
    {
        "page[number]", "page[size]", "sort_by", "order_by", "patient_type", "type", "current_state", "ownership_type",
        "completed_at", "created_at", "attempted_at", "event_type", "available", "clinic_permitted",
        "successfully_delivered", "response_type", "grant_type",
    }
)  # fmt: skip


def redact_url(url: str) -> str:
    """Returns `url` without user info and fragment, with every query value masked that is not known to be harmless.

    The path stays (`Endpoint.shown_path` leaves out ids of people), except segments that look like an e-mail address or
    a name.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return MASK
    place = f"{parts.scheme}://{host}{f':{port}' if port else ''}" if host else ""
    path = "/".join(MASK if _is_personal(segment) else segment for segment in parts.path.split("/"))
    query = "&".join(f"{_shown_name(name)}={_shown_value(name, value)}" for name, value in _pairs(parts.query))
    return f"{place}{path}{f'?{query}' if query else ''}"


def _pairs(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True)


def _shown_name(name: str) -> str:
    return name if len(name) <= 40 and name.replace("_", "").replace("[", "").replace("]", "").isalnum() else MASK


def _shown_value(name: str, value: str) -> str:
    return value if name in _OPEN and not _is_personal(value) and len(value) <= 80 else MASK


def _is_personal(text: str) -> bool:
    return "@" in text or "%40" in text.lower() or " " in text or "%20" in text
