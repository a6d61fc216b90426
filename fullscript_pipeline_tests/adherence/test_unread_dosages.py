"""The list of dosage texts to write more clearly: what counts, in which order, and what is left out."""

from fullscript_pipeline.adherence.unread_dosages import group_by_reason, unread_dosages
from fullscript_pipeline_tests.helpers.adherence_clinic import FIRST_PULL, Clinic, line, noon


def test_texts_of_active_plans_most_frequent_first() -> None:
    clinic = Clinic()
    vague = line(dosage={"amount": "some", "frequency": "now and then"})
    for number in range(2):
        clinic.plan([vague], plan_id=f"vague-{number}")
    clinic.plan([line(dosage={"amount": "up to 3"})], plan_id="open")
    clinic.plan([line(dosage={"duration": "until next appointment"})], plan_id="moon")
    clinic.plan([line(dosage={"format": None})], plan_id="of-what")
    clinic.plan([line(), line(dosage={"additional_info": "as needed"})], plan_id="read")
    clinic.plan([line(dosage={"amount": "draft"})], plan_id="draft", state="draft")
    clinic.plan([line(dosage={"amount": "gone"})], plan_id="gone", removed_at=noon(FIRST_PULL))
    found = unread_dosages(clinic.con, ["c1"])
    assert [(one.lines, one.what, one.amount) for one in found] == [
        (2, "dosage", "some"),
        (1, "dosage", "2"),
        (1, "duration", "2"),
        (1, "dosage", "up to 3"),
    ]
    assert all(one.reason for one in found)
    assert unread_dosages(clinic.con, ["other"]) == []


def test_texts_are_grouped_by_what_was_not_understood() -> None:
    clinic = Clinic()
    for number, frequency in enumerate(["daily with moonlight", "twice daily with Moonlight", "daily sparkling"]):
        clinic.plan([line(dosage={"frequency": frequency})], plan_id=f"plan-{number}")
    groups = group_by_reason(unread_dosages(clinic.con, ["c1"]))
    assert [(group.lines, group.texts, group.example.reason.casefold()) for group in groups] == [
        (2, 2, '"moonlight" is not understood'),
        (1, 1, '"sparkling" is not understood'),
    ]
