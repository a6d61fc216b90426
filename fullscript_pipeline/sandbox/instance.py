"""One sandbox: its directory, state, world, authorization server, ledger and rate limits, opened and moved together.

What does not belong here: HTTP (`routes`, `control`) and sockets (`server`).
"""

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from fullscript_pipeline.sandbox.behaviour_switches import ResponseVariants, with_joined_variants
from fullscript_pipeline.sandbox.day_simulator import make_world, simulate_until
from fullscript_pipeline.sandbox.embedding import SessionGrants
from fullscript_pipeline.sandbox.errors import SandboxError
from fullscript_pipeline.sandbox.faults import FaultPlan
from fullscript_pipeline.sandbox.ledger import RequestLedger
from fullscript_pipeline.sandbox.oauth import AuthorizationServer
from fullscript_pipeline.sandbox.seeded_random import NOON
from fullscript_pipeline.sandbox.sender import Sender
from fullscript_pipeline.sandbox.settings import SandboxSettings
from fullscript_pipeline.sandbox.store import State, TokenPair, new_state, read_state, write_state
from fullscript_pipeline.sandbox.word_lists import REGIONS
from fullscript_pipeline.sandbox.world import User

# Moving further than this in one go is surely a slip, and would block the server for minutes.
MOST_DAYS = 1100


class Sandbox:
    """A world with its clock. Used from one thread."""

    def __init__(self, directory: Path, state: State) -> None:
        self.directory, self.state = directory, state
        settings = state.settings
        self.world = make_world(
            settings.seed,
            settings.start,
            clinics=settings.clinics,
            patients=settings.patients,
            products=settings.products,
            history_days=settings.history_days,
        )
        simulate_until(self.world, state.day)
        self.oauth = AuthorizationServer(state, self.save)
        self.ledger = RequestLedger()
        self.faults = FaultPlan()
        self.variants = ResponseVariants(settings.quirks)
        self.limit = RollingLimit()
        self.sender = Sender(directory, self.world, state, lambda: self.variants)
        self.grants = SessionGrants()
        self.minutes = 0

    @classmethod
    def open(cls, directory: Path, **options: Any) -> "Sandbox":
        """The sandbox of a directory, made there on the first start. Raises SandboxError."""
        options = with_joined_variants(options)
        state = read_state(directory)
        if state is None:
            set_options = {name: option for name, option in options.items() if option is not None}
            state = new_state(SandboxSettings(**({"start": datetime.now(UTC).date()} | set_options)))
        else:
            state.settings = state.settings.changed(options)
        write_state(directory, state)
        return cls(directory, state)

    @property
    def now(self) -> str:
        """The world's clock: noon UTC of its day."""
        return f"{self.state.day.isoformat()}T12:00:00Z"

    @property
    def moment(self) -> datetime:
        """The webhook sender's clock: the world's, and the minutes it was moved ahead of it today."""
        return datetime.combine(self.state.day, NOON) + timedelta(minutes=self.minutes)

    def save(self) -> None:
        """Stores clock, codes and tokens."""
        write_state(self.directory, self.state)

    def advance(self, *, days: int | None = None, to: date | None = None) -> dict[str, Any]:
        """Simulates `days` days, or every day up to `to`; returns what happened. Raises SandboxError."""
        before = self.state.day
        if (days is None) == (to is None):
            raise SandboxError("Give either the number of days to advance or the day to advance to.")
        steps = days if days is not None else (to - before).days if to else 0
        if steps < 0 or (days is not None and days < 1):
            raise SandboxError(f"The sandbox's clock is at {before} and only moves forward; give a later day.")
        if steps > MOST_DAYS:
            raise SandboxError(f"{steps} days are too many at once; advance by at most {MOST_DAYS}.")
        self.state.day = before + timedelta(days=steps)
        self.minutes = 0
        tallies = simulate_until(self.world, self.state.day)
        self.save()
        return {
            "from": before.isoformat(),
            "day": self.state.day.isoformat(),
            "clock": self.now,
            "days": steps,
            "clinics": {slug: dict(sorted(tallies[slug].items())) for slug in self.world.clinics},
            "regions": {region: dict(sorted(tallies[region].items())) for region in self.world.catalogs},
            "totals": dict(sorted(sum(tallies.values(), Counter[str]()).items())),
        }

    def user_of(self, pair: TokenPair) -> User:
        """Who authorised a token."""
        clinic = self.world.clinics[pair.clinic]
        return clinic.user(pair.user) or User(clinic.owner_id, "Practitioner")

    def change(self, options: dict[str, Any]) -> None:
        """Changes settings that do not make another world, at once. Raises SandboxError."""
        self.state.settings = self.state.settings.changed(with_joined_variants(options))
        self.variants = ResponseVariants(self.state.settings.quirks)
        self.save()

    def describe(self, base_url: str) -> dict[str, Any]:
        """Clock, servers with their app's credentials, and clinics, for the control plane."""
        settings = self.state.settings
        return {
            "clock": self.now,
            "day": self.state.day.isoformat(),
            "start": settings.start.isoformat(),
            "seed": settings.seed,
            "redirect_uri": settings.redirect_uri,
            "portal_redirect_uri": settings.portal_redirect_uri,
            "quirks": sorted(self.variants.names),
            "servers": {server: self._app(server, base_url) for server in REGIONS},
            "clinics": [
                {
                    "slug": clinic.slug,
                    "server": clinic.server,
                    "region": clinic.catalog.region,
                    "clinic_id": self.variants.replace_ids_in_answer(clinic.id.encode()).decode(),
                    "name": clinic.info["name"],
                    "connected": self.oauth.connected(clinic.slug),
                    "patients": len(clinic.patients),
                    "treatment_plans": len(clinic.plans),
                    "orders": len(clinic.orders),
                }
                for clinic in self.world.clinics.values()
            ],
        }

    def _app(self, server: str, base_url: str) -> dict[str, Any]:
        app = self.state.apps[server]
        return {
            "region": REGIONS[server],
            "api_url": f"{base_url}/{server}/api",
            "authorize_url": f"{base_url}/{server}/oauth/authorize",
            "client_id": app.client_id,
            "client_secret": app.client_secret,
            "webhook_challenge_token": app.challenge_token,
            "webhook_signature_key": app.signature_key,
            "restricted_granted": app.restricted_granted,
            "portal_client_id": self.state.portal_apps[server].client_id,
            "portal_client_secret": self.state.portal_apps[server].client_secret,
            "scopes": self.state.settings.scopes,
        }


class RollingLimit:
    """Remembers the moments of admitted requests, by app."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self.admitted: defaultdict[str, deque[float]] = defaultdict(deque)

    def admit(self, app: str, limit: int, seconds: float) -> bool:
        """Whether one more request is within `rate_limit` per `seconds`; a refused one is not counted."""
        moments, now = self.admitted[app], self.now()
        while moments and moments[0] <= now - seconds:
            moments.popleft()
        if len(moments) >= limit:
            return False
        moments.append(now)
        return True
