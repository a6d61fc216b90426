"""Requests to a portal with ids of other clinics and users mixed into path, query and cookies (promise 44).

What does not belong here: assertions.
"""

import html
import random
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from fullscript_pipeline_tests.helpers.running_portal import RunningPortal


def addresses(portal: RunningPortal, slug: str) -> list[str]:
    """Every kind of address of a clinic, with the ids that are in it."""
    key = portal.keys[slug]
    patients, plans = list(portal.patients[slug]), list(portal.plans[slug])
    return [
        f"/clinics/{key}/",
        f"/clinics/{key}/index.html",
        *(f"/clinics/{key}/patients/{patient}" for patient in patients),
        *(f"/clinics/{key}/patients/{patient}.html" for patient in patients),
        *(f"/clinics/{key}/plans/{plan}/open" for plan in plans[:2]),
        f"/clinics/{key}/plans/new",
        *(f"/clinics/{key}/patients/{patients[0]}/{what}" for what in ("read", "draft", "embed")),
    ]


def visible_names(portal: RunningPortal, slug: str, user: str) -> set[str]:
    """The patients that Fullscript lists to this user."""
    with portal.sandbox.client(slug, user) as api:
        rows = api.get("/clinic/patients", params={"page[size]": "100"}).json()["patients"]
    return {portal.patients[slug][str(row["id"])] for row in rows}


@dataclass(frozen=True, kw_only=True)
class CrossedOutcome:
    """Answers with a name that their reader may not see, answers that showed nothing, and those that were recorded."""

    foreign: int
    refused: int
    recorded: int


def send_crossed_requests(
    portal: RunningPortal, slugs: Sequence[str], users: Sequence[str], *, requests: int, seed: int
) -> CrossedOutcome:
    """Every user of every clinic signs in, then one of them sends each request, about any clinic."""
    rng, foreign, refused = random.Random(seed), 0, 0
    # A user who is named twice has two browsers.
    clients = [(slug, user, portal.sign_in(slug, user)) for slug in slugs for user in users]
    everybody = {name for slug in slugs for name in portal.patients[slug].values()}
    hidden = {(slug, user): everybody - visible_names(portal, slug, user) for slug in slugs for user in set(users)}
    every_address = {slug: addresses(portal, slug) for slug in slugs}
    before = portal.events().count("refused")
    for _ in range(requests):
        slug, user, client = rng.choice(clients)
        query = {"only": "everybody", "clinic_key": portal.keys[rng.choice(slugs)]}
        headers = {"X-Clinic": query["clinic_key"], "Cookie": _cookies(client, rng)}
        answer = client.get(rng.choice(every_address[rng.choice(slugs)]), params=query, headers=headers)
        foreign += any(html.escape(name) in answer.text for name in hidden[slug, user])
        refused += answer.status_code == 404
    return CrossedOutcome(foreign=foreign, refused=refused, recorded=portal.events().count("refused") - before)


def _cookies(client: httpx.Client, rng: random.Random) -> str:
    """The browser's own cookies, perhaps with another one that names somebody."""
    own = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    return own + rng.choice(["", "; clinic=harbor-point", "; user=practitioner-2"])
