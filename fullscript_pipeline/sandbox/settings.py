"""The options that a sandbox is made with. What does not belong here: what changes while it runs (`store`)."""

from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any

from fullscript_pipeline.sandbox.behaviour_switches import parse_variant_names
from fullscript_pipeline.sandbox.errors import SandboxError

READ_SCOPES = "catalog:read clinic:read patients:read patients:treatment_plan_history patients:order_history"

# Smallest and largest value of each number.
BOUNDS = {
    "seed": (0, 2**63),
    "clinics": (1, 200),
    "patients": (5, 100_000),
    "products": (10, 8_000),
    "history_days": (0, 400),
    "token_seconds": (1, 7200),
    "rate_limit": (1, 10**9),
    "rate_window": (1, 86_400),
}
# These may differ from one start to the next; everything else makes another world.
CHANGEABLE = frozenset(
    {
        "redirect_uri",
        "portal_redirect_uri",
        "token_seconds",
        "scopes",
        "rate_limit",
        "rate_window",
        "assigned_patients_only",
        "quirks",
    }
)


@dataclass(frozen=True, kw_only=True)
class SandboxSettings:
    """Sizes are per clinic (patients) and per region (products); the start day is the last day of the history.

    `rate_limit` requests per app in any `rate_window` seconds of real time; `assigned_patients_only`: practitioners
    other than the owner see their own patients only. `quirks`: `all`, or names of
    `behaviour_switches.RESPONSE_VARIANTS` with commas.
    """

    start: date
    seed: int = 1
    clinics: int = 3
    patients: int = 200
    products: int = 320
    history_days: int = 60
    redirect_uri: str = "http://127.0.0.1:8765/callback"
    portal_redirect_uri: str = "http://127.0.0.1:8768/callback"
    scopes: str = READ_SCOPES
    token_seconds: int = 7200
    rate_limit: int = 5000
    rate_window: int = 300
    assigned_patients_only: bool = False
    quirks: str = ""

    def __post_init__(self) -> None:
        """Raises SandboxError for a number outside its bounds."""
        texts = ("redirect_uri", "portal_redirect_uri", "scopes", "quirks")
        for name, kind in (*((name, str) for name in texts), ("assigned_patients_only", bool)):
            if not isinstance(getattr(self, name), kind):
                raise SandboxError(f"The sandbox option {name} must be a {kind.__name__}.")
        parse_variant_names(self.quirks)
        for name, (least, most) in BOUNDS.items():
            number = getattr(self, name)
            if not isinstance(number, int) or not least <= number <= most:
                raise SandboxError(f"The sandbox option {name} is {number}; give a number from {least} to {most}.")

    def changed(self, options: dict[str, Any]) -> "SandboxSettings":
        """These settings with the given options (None: not given). Raises SandboxError if they mean another world."""
        set_options = {name: option for name, option in options.items() if option is not None}
        mine = asdict(self)
        for name, option in set_options.items():
            if name not in mine:
                raise SandboxError(f"There is no sandbox option {name}; there are {', '.join(sorted(mine))}.")
            if name not in CHANGEABLE and mine[name] != option:
                raise SandboxError(
                    f"This sandbox was made with {name} {mine[name]}, not {option}; "
                    "omit the option or choose another directory."
                )
        return SandboxSettings(**(mine | set_options))

    def to_json(self) -> dict[str, Any]:
        """As stored."""
        return {**asdict(self), "start": self.start.isoformat()}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "SandboxSettings":
        """As it was stored."""
        known = {field.name for field in fields(cls)}
        fields_of_today = {name: content for name, content in stored.items() if name in known}
        return cls(**(fields_of_today | {"start": date.fromisoformat(stored["start"])}))
