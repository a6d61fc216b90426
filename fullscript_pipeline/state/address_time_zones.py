"""The main time zone of a US state or territory, or a Canadian province: where a clinic is when it has set no zone.

A state with several zones counts by the one that most of its people live in. Add a state as a line of the table. What
does not belong here: where an address is stored, and what a clinic has set itself (`clinic_choices`).
"""

import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

_STATES = """
AL Alabama America/Chicago | AK Alaska America/Anchorage | AZ Arizona America/Phoenix | AR Arkansas America/Chicago
CA California America/Los_Angeles | CO Colorado America/Denver | CT Connecticut America/New_York
DE Delaware America/New_York | DC District of Columbia America/New_York | FL Florida America/New_York
GA Georgia America/New_York | HI Hawaii Pacific/Honolulu | ID Idaho America/Boise | IL Illinois America/Chicago
IN Indiana America/Indiana/Indianapolis | IA Iowa America/Chicago | KS Kansas America/Chicago
KY Kentucky America/New_York | LA Louisiana America/Chicago | ME Maine America/New_York
MD Maryland America/New_York | MA Massachusetts America/New_York | MI Michigan America/Detroit
MN Minnesota America/Chicago | MS Mississippi America/Chicago | MO Missouri America/Chicago
MT Montana America/Denver | NE Nebraska America/Chicago | NV Nevada America/Los_Angeles
NH New Hampshire America/New_York | NJ New Jersey America/New_York | NM New Mexico America/Denver
NY New York America/New_York | NC North Carolina America/New_York | ND North Dakota America/Chicago
OH Ohio America/New_York | OK Oklahoma America/Chicago | OR Oregon America/Los_Angeles
PA Pennsylvania America/New_York | RI Rhode Island America/New_York | SC South Carolina America/New_York
SD South Dakota America/Chicago | TN Tennessee America/Chicago | TX Texas America/Chicago | UT Utah America/Denver
VT Vermont America/New_York | VA Virginia America/New_York | WA Washington America/Los_Angeles
WV West Virginia America/New_York | WI Wisconsin America/Chicago | WY Wyoming America/Denver
PR Puerto Rico America/Puerto_Rico | VI US Virgin Islands America/St_Thomas | GU Guam Pacific/Guam
AS American Samoa Pacific/Pago_Pago | MP Northern Mariana Islands Pacific/Saipan
AB Alberta America/Edmonton | BC British Columbia America/Vancouver | MB Manitoba America/Winnipeg
NB New Brunswick America/Moncton | NL Newfoundland and Labrador America/St_Johns | NS Nova Scotia America/Halifax
NT Northwest Territories America/Edmonton | NU Nunavut America/Iqaluit | ON Ontario America/Toronto
PE Prince Edward Island America/Halifax | QC Quebec America/Toronto | SK Saskatchewan America/Regina
YT Yukon America/Whitehorse
"""
_COUNTRIES = {"us", "usa", "united states", "united states of america", "ca", "can", "canada"}
# No key of a clinic's address is documented: likely spellings are read.
_HOLDERS = ("address", "clinic_address", "addresses")
_STATE_KEYS = ("state", "state_code", "state_name", "province", "province_code", "province_name", "region")
_COUNTRY_KEYS = ("country", "country_code", "country_name")


def zone_of_clinic_record(record: Mapping[str, Any]) -> ZoneInfo | None:
    """Return the zone of the address in the API's record of a clinic; None when it has none, or an unknown one."""
    for address in _addresses(record):
        country = _first_text(address, _COUNTRY_KEYS)
        if country and country not in _COUNTRIES:
            continue
        state = _first_text(address, _STATE_KEYS).removeprefix("us-").removeprefix("ca-")
        if zone := zones_by_state().get(state):
            return ZoneInfo(zone)
    return None


def _addresses(record: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for value in (*(record.get(name) for name in _HOLDERS), record):
        addresses = value if isinstance(value, list) else [value]
        yield from (address for address in addresses if isinstance(address, dict))


def _first_text(address: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    values = (address.get(key) for key in keys)
    return next((_plain(value) for value in values if isinstance(value, str) and value.strip()), "")


def _plain(text: str) -> str:
    """The text in lower case, without accents, dots and outer spaces."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower().replace(".", "").strip()


@cache
def zones_by_state() -> Mapping[str, str]:
    """The zone of every state, by its code and by its name."""
    zones: dict[str, str] = {}
    for line in _STATES.replace("\n", " | ").split(" | "):
        if words := line.split():
            code, *name, zone = words
            zones |= {_plain(code): zone, _plain(" ".join(name)): zone}
    return zones
