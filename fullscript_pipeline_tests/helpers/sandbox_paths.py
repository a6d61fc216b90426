"""Lists of the sandbox with their pages followed, and for each endpoint a path with ids that exist.

What does not belong here: assertions.
"""

from typing import Any

import httpx

from fullscript_pipeline.sandbox.endpoints import SandboxEndpoint


def listed(client: httpx.Client, path: str, **params: str) -> list[dict[str, Any]]:
    """Every row of a list, with its pages followed."""
    rows: list[dict[str, Any]] = []
    number: int | None = 1
    while number:
        body = client.get(path, params={**params, "page[size]": "100", "page[number]": str(number)}).json()
        (key,) = body.keys() - {"meta"}
        rows += body[key]
        number = body["meta"]["next_page"]
    return rows


def sample_ids(client: httpx.Client) -> dict[str, str]:
    """An id for every placeholder of the table; those named `id` by the path they stand in."""
    patients = listed(client, "clinic/patients")
    plans = [plan for row in patients for plan in listed(client, f"clinic/patients/{row['id']}/treatment_plans")]
    category = next(
        row["id"]
        for row in listed(client, "clinic/categories")
        if listed(client, f"clinic/categories/{row['id']}/products")
    )
    product = listed(client, f"clinic/categories/{category}/products")[0]
    practitioner = listed(client, "clinic/practitioners")[0]["id"]
    lab = listed(client, "clinic/labs/orders")[0]["id"]
    ids = {"patient_id": patients[0]["id"], "practitioner_id": practitioner}
    ids |= {"category_id": category, "product_id": product["id"]}
    mine = f"clinic/practitioners/{practitioner}"
    ids["/clinic/treatment_plans/{id}"] = plans[0]["id"]
    open_plan = next(plan["id"] for plan in plans if plan["state"] != "cancelled")
    ids["/clinic/dynamic_links/treatment_plans/{id}"] = open_plan
    ids["/catalog/products/{id}"] = product["id"]
    ids["/catalog/variants/{id}"] = product["variants"][0]["id"]
    ids["/events/{id}"] = listed(client, "events/orders")[0]["id"]
    ids["/clinic/labs/tests/{id}"] = client.get(f"clinic/labs/orders/{lab}").json()["order"]["tests"][0]["id"]
    ids["/clinic/protocols/{id}"] = listed(client, f"{mine}/protocols")[0]["id"]
    ids["/clinic/templates/{id}"] = listed(client, f"{mine}/templates")[0]["id"]
    ids["/clinic/practitioners/{practitioner_id}/resources/{id}"] = listed(client, f"{mine}/resources")[0]["id"]
    return ids


def path_of(endpoint: SandboxEndpoint, client: httpx.Client, ids: dict[str, str]) -> str:
    """The endpoint's path with ids that exist; a plain `id` is the first of the list above it."""
    parts: list[str] = []
    for segment in endpoint.segments:
        name = segment.strip("{}")
        if segment[0] != "{":
            parts.append(segment)
        elif name == "id":
            parts.append(ids.get(endpoint.path) or listed(client, "/".join(parts))[0]["id"])
        else:
            parts.append(ids[name])
    return "/".join(parts)
