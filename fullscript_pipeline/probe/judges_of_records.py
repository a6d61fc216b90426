"""Judges what records look like: keys, types, words, forms. Each function has the name of its fact.

What does not belong here: paging, filters and answers as a whole (`judges_of_answers`), the facts (`facts.toml`).
"""

from collections.abc import Iterator

from fullscript_pipeline.api import ENDPOINTS
from fullscript_pipeline.api.description import Shape, shape_at
from fullscript_pipeline.probe.answer_shapes import ALTERNATIVE_KEYS, WEBHOOK_LAB_WORDS
from fullscript_pipeline.probe.probe_report import ProbeReport, SeenKey, SeenRecords
from fullscript_pipeline.probe.verdict import AS_DOCUMENTED, UNKNOWN, FactVerdict, differs_if
from fullscript_pipeline.regions import REGIONS

_REST_LAB_WORDS = {"partial_results", "results_ready"}


def known_keys(report: ProbeReport) -> FactVerdict:
    pairs = list(_described(report))
    new = {
        f"{endpoint}.{key}"
        for endpoint, records, shape in pairs
        for key in records.keys
        if key not in shape.keys | ALTERNATIVE_KEYS
    }
    unnamed = sum(records.unnamed_keys for _, records, _ in pairs)
    more = [f"{unnamed} more, not named"] if unnamed else []
    return differs_if(differs=bool(new or unnamed) if pairs else None, seen=", ".join([*sorted(new)[:8], *more]))


def documented_keys(report: ProbeReport) -> FactVerdict:
    pairs = [(name, records, shape) for name, records, shape in _described(report) if set(records.keys) - {"id"}]
    missing = {
        f"{name}.{key}"
        for name, records, shape in pairs
        for key in shape.sure - records.keys.keys()
        if (ENDPOINTS[name].kind == "detail" or key not in shape.structured)
        and (REGIONS[report.region].has_labs or not key.startswith("lab_"))
    }
    return differs_if(differs=bool(missing) if pairs else None, seen=", ".join(sorted(missing)[:8]))


def known_words(report: ProbeReport) -> FactVerdict:
    states = list(_keys(report, "order", "state"))
    # A word of another key would not say that words differ from the description where the description has some.
    return differs_if(differs=any(key.other_words for key in states) if states else None)


def plan_rows(report: ProbeReport) -> FactVerdict:
    return _rows(report, "patient_treatment_plans", lacking="recommendations")


def order_rows(report: ProbeReport) -> FactVerdict:
    return _rows(report, "orders", lacking="line_items")


def patient_rows(report: ProbeReport) -> FactVerdict:
    return _rows(report, "patients")


def product_rows(report: ProbeReport) -> FactVerdict:
    verdicts = [_rows(report, name) for name in ("category_products", "products")]
    return next((verdict for verdict in verdicts if verdict != UNKNOWN), UNKNOWN)


def product_variants(report: ProbeReport) -> FactVerdict:
    keys = _detail(report, "product")
    return differs_if(differs="variant_ids" in keys and "variants" not in keys if keys else None)


def product_id(report: ProbeReport) -> FactVerdict:
    keys = _detail(report, "product")
    return differs_if(differs="id" not in keys if keys else None)


def search_variants(report: ProbeReport) -> FactVerdict:
    keys = report.endpoints["search_products"].records.keys
    known = {"variants", "variant_ids", "primary_variant"} & keys.keys()
    return differs_if(differs=known == {"primary_variant"} if known else None)


def variant_product(report: ProbeReport) -> FactVerdict:
    product = _detail(report, "variant").get("product")
    return differs_if(differs="id" not in product.inside.keys if product and product.inside else None)


def references(report: ProbeReport) -> FactVerdict:
    keys = report.endpoints["orders"].records.keys
    return differs_if(differs="patient" in keys and "patient_id" not in keys if keys else None)


def dependents(report: ProbeReport) -> FactVerdict:
    keys = _detail(report, "patient")
    return differs_if(differs="is_dependent" not in keys if keys else None)


def refunds(report: ProbeReport) -> FactVerdict:
    return _refund_key(report, "status")


def refund_flag(report: ProbeReport) -> FactVerdict:
    return _refund_key(report, "refunded")


def refund_time(report: ProbeReport) -> FactVerdict:
    return _refund_key(report, "refunded_at")


def lab_results(report: ProbeReport) -> FactVerdict:
    keys = _detail(report, "lab_order")
    tests = keys["tests"].inside if "tests" in keys else None
    return differs_if(differs="results" in tests.keys and "results" not in keys if tests else None)


def lab_words(report: ProbeReport) -> FactVerdict:
    words = {word for key in _keys(report, "lab_order", "state") for word in key.words}
    if words & WEBHOOK_LAB_WORDS:
        return differs_if(differs=True)
    return AS_DOCUMENTED if words & _REST_LAB_WORDS else UNKNOWN


def event_rows(report: ProbeReport) -> FactVerdict:
    keys = _feed_keys(report)
    return differs_if(differs=not keys & {"type", "created_at"} if keys else None)


def feed_times(report: ProbeReport) -> FactVerdict:
    keys, detail = _feed_keys(report), _detail(report, "event")
    if not keys or "type" not in keys or (detail and "created_at" not in detail):
        return UNKNOWN
    return differs_if(differs="created_at" not in keys)


def event_times(report: ProbeReport) -> FactVerdict:
    keys = _detail(report, "event")
    return differs_if(differs="created_at" not in keys if keys else None)


def booleans(report: ProbeReport) -> FactVerdict:
    keys = [key for key in _typed(report, bool) if "boolean" in key.types or "true or false" in key.forms]
    return differs_if(differs=any("true or false" in key.forms for key in keys) if keys else None)


def numbers(report: ProbeReport) -> FactVerdict:
    keys = [key for key in _typed(report, int) if set(key.types) & {"integer", "number", "text"}]
    return differs_if(differs=any({"digits", "decimal"} & set(key.forms) for key in keys) if keys else None)


def prices(report: ProbeReport) -> FactVerdict:
    types = {name for key in _keys(report, "variant", "msrp") for name in key.types} - {"null"}
    return differs_if(differs=bool(types & {"number", "integer"}) if types else None)


def nulls(report: ProbeReport) -> FactVerdict:
    keys = [key for _, records, _ in _described(report) for key in records.keys.values()]
    if any(key.nulls for key in keys):
        return AS_DOCUMENTED
    return differs_if(differs=True if any(key.empty for key in keys) else None)


def left_out(report: ProbeReport) -> FactVerdict:
    lists = [
        (name, seen.records)
        for name, seen in report.endpoints.items()
        if ENDPOINTS[name].kind == "list" and seen.records.count > 1 and not ENDPOINTS[name].path.startswith("/events")
    ]
    uneven = {f"{name}.{key}" for name, records in lists for key, seen in records.keys.items() if seen.lacking}
    return differs_if(differs=bool(uneven) if lists else None, seen=", ".join(sorted(uneven)[:8]))


def milliseconds(report: ProbeReport) -> FactVerdict:
    forms = {form for form in _time_forms(report) if form[10] == "T"}
    return differs_if(differs=any("." not in form for form in forms) if forms else None)


def time_separator(report: ProbeReport) -> FactVerdict:
    forms = _time_forms(report)
    return differs_if(differs=any(form[10] != "T" for form in forms) if forms else None)


def id_form(report: ProbeReport) -> FactVerdict:
    forms = {form for _, records, _ in _described(report) if (key := records.keys.get("id")) for form in key.forms}
    return differs_if(differs="uuid" not in forms if forms else None, seen=", ".join(sorted(forms)))


def _described(report: ProbeReport) -> Iterator[tuple[str, SeenRecords, Shape]]:
    """The records of described endpoints, and what is described inside them."""
    for name, seen in report.endpoints.items():
        if (shape := shape_at(name)) is not None and seen.records.count:
            yield from _with_inner(name, seen.records, shape)


def _with_inner(name: str, records: SeenRecords, shape: Shape) -> Iterator[tuple[str, SeenRecords, Shape]]:
    yield name, records, shape
    for key, inner in shape.nested.items():
        below = records.keys.get(key)
        if below is not None and below.inside is not None:
            yield from _with_inner(name, below.inside, inner)


def _keys(report: ProbeReport, object_name: str, key: str) -> Iterator[SeenKey]:
    for _, records, shape in _described(report):
        if shape.name == object_name and key in records.keys:
            yield records.keys[key]


def _typed(report: ProbeReport, kind: type) -> Iterator[SeenKey]:
    """The keys that are described with this type and not as text."""
    for _, records, shape in _described(report):
        for key, seen in records.keys.items():
            if (key, kind) in shape.pairs and (key, str) not in shape.pairs:
                yield seen


def _detail(report: ProbeReport, name: str) -> dict[str, SeenKey]:
    return report.endpoints[name].records.keys


def _feed_keys(report: ProbeReport) -> set[str]:
    return {key for name in report.feeds for key in report.endpoints[name].records.keys}


def _rows(report: ProbeReport, name: str, *, lacking: str = "") -> FactVerdict:
    seen = report.endpoints[name].rows_lack
    if seen is None:
        return UNKNOWN
    return differs_if(differs=lacking in seen if lacking else bool(seen), seen=", ".join(seen[:8]))


def _refund_key(report: ProbeReport, key: str) -> FactVerdict:
    keys = report.endpoints["orders"].records.keys
    return differs_if(differs=key in keys and "state" not in keys if keys else None)


def _time_forms(report: ProbeReport) -> set[str]:
    return {
        form
        for _, records, shape in _described(report)
        for key in shape.times
        if key in records.keys
        for form in records.keys[key].forms
        if len(form) > len("0000-00-00")
    }
