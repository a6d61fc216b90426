"""What a warehouse lacks, has twice or has made up, compared with the sandbox's world: for the lines of the drills.

What does not belong here: making things happen.
"""

from collections import Counter
from dataclasses import dataclass

from fullscript_pipeline_tests.helpers.clinic_fixture import LiveClinic


@dataclass(frozen=True)
class Account:
    """Counts of orders and plans.

    `happened`: there are so many in the world (drafts and silent edits aside); `lost`: not stored, or stored in another
    state or text; `duplicated`: rows of one key beyond the first; `phantom`: stored as there, and in no world.
    """

    happened: int
    stored: int
    lost: int
    duplicated: int
    phantom: int


def account(live_clinic: LiveClinic) -> Account:
    """As things stand now."""
    orders = Counter(one for (one,) in live_clinic.stored("orders", ["order_id"], "removed_at IS NULL"))
    columns = ["treatment_plan_id", "state", "personal_message"]
    rows = live_clinic.stored("treatment_plans", columns, "removed_at IS NULL")
    plans, said = Counter(plan for plan, *_ in rows), {plan: tuple(told) for plan, *told in rows}
    lines = live_clinic.stored("order_line_items", ["order_id", "position"], "removed_at IS NULL")
    twice = sum(number - 1 for counted in (orders, plans, Counter(lines)) for number in counted.values())
    told = {
        plan.id: (plan.record["state"], plan.record["personal_message"] or None)
        for plan in live_clinic.world.plans.values()
        if plan.record["state"] != "draft" and plan.id not in live_clinic.world.through_api
    }
    lost = len(live_clinic.world.orders.keys() - orders.keys()) + sum(
        said.get(one) != its_words for one, its_words in told.items()
    )
    phantom = len(orders.keys() - live_clinic.world.orders.keys()) + len(plans.keys() - live_clinic.world.plans.keys())
    return Account(len(live_clinic.world.orders) + len(told), orders.total() + plans.total(), lost, twice, phantom)
