"""Dosage texts and what they mean. Every row is a decision with its reason; a text nobody decided is unparsable.

Notation of the expected rate per day: `2`, `1..2` (a range), `<=3` (only the largest dose), `prn`, `?` (unparsable).
"""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullscript_pipeline.adherence import Dosage, parse_dosage

# With the amount 1.
FREQUENCIES = [
    ("once per day", "1", "the vendor's own wording"),
    ("Once per day", "1", "case does not matter"),
    ("  once   per day ", "1", "spaces do not matter"),
    ("once daily", "1", "daily is per day"),
    ("once a day", "1", "a day is per day"),
    ("1 time per day", "1", "a digit for once"),
    ("1x per day", "1", "x for times"),
    ("1x/day", "1", "slash for per"),
    ("1/day", "1", "slash for per, not a fraction"),
    ("daily", "1", "daily alone is once a day"),
    ("every day", "1", "every day is daily"),
    ("each day", "1", "each day is daily"),
    ("per day", "1", "the amount is per day"),
    ("qd", "1", "Latin: each day"),
    ("q.d.", "1", "dots do not matter"),
    ("OD", "1", "omni die"),
    ("every 24 hours", "1", "a day"),
    ("q24h", "1", "a day"),
    ("nightly", "1", "once a night"),
    ("every night", "1", "once a night"),
    ("once nightly", "1", "once a night"),
    ("every morning", "1", "one part of the day"),
    ("in the morning", "1", "one part of the day"),
    ("qam", "1", "each morning"),
    ("qhs", "1", "each bedtime"),
    ("hs", "1", "at bedtime"),
    ("at bedtime", "1", "one part of the day"),
    ("before bed", "1", "one part of the day"),
    ("30 minutes before bed", "1", "one part of the day"),
    ("with your evening meal", "1", "one named meal"),
    ("daily in AM", "1", "one part of the day"),
    ("once daily, preferably in the morning", "1", "a preference changes nothing"),
    ("upon waking", "1", "one part of the day"),
    ("first thing in the morning", "1", "one part of the day"),
    ("with breakfast", "1", "one named meal"),
    ("with dinner", "1", "one named meal"),
    ("once daily with breakfast", "1", "the count and the meal agree"),
    ("once daily in the morning", "1", "the count and the part of the day agree"),
    ("once per day at bedtime", "1", "the count and the part of the day agree"),
    ("daily at bedtime", "1", "daily, and when"),
    ("in the morning with breakfast", "1", "two names of one time"),
    ("once per day, with food", "1", "how, not how often, is left out"),
    ("once daily on an empty stomach", "1", "how, not how often, is left out"),
    ("once daily by mouth", "1", "how, not how often, is left out"),
    ("twice per day", "2", "the vendor's own wording"),
    ("two times per day", "2", "a number word"),
    ("2 times a day", "2", "a day is per day"),
    ("2x daily", "2", "x for times"),
    ("2x/d", "2", "d for day"),
    ("bid", "2", "Latin: twice a day"),
    ("B.I.D.", "2", "dots and case do not matter"),
    ("bid with meals", "2", "how is left out"),
    ("bid ac", "2", "before meals is how"),
    ("every 12 hours", "2", "24 / 12"),
    ("q12h", "2", "24 / 12"),
    ("morning and evening", "2", "two parts of the day"),
    ("in the morning and at bedtime", "2", "two parts of the day"),
    ("AM and PM", "2", "two parts of the day"),
    ("am & pm", "2", "an ampersand for and"),
    ("breakfast and dinner", "2", "two named meals"),
    ("twice daily (morning and evening)", "2", "the count and the parts agree"),
    ("daily in the morning and at bedtime", "2", "daily means every day, the parts say how often"),
    ("once in the morning and once at night", "2", "once each"),
    ("every morning and every night", "2", "once each"),
    ("2 per day", "2", "beside the amount 1 it cannot repeat it"),
    ("three times per day", "3", "the vendor's own wording"),
    ("thrice daily", "3", "an old word"),
    ("tid", "3", "Latin: three times a day"),
    ("tds", "3", "Latin, British"),
    ("every 8 hours", "3", "24 / 8"),
    ("q8h", "3", "24 / 8"),
    ("three times in 24 hours", "3", "24 hours are a day"),
    ("with each meal", "3", "three meals a day, an assumption that is reported"),
    ("with every meal", "3", "three meals a day"),
    ("before each meal", "3", "three meals a day"),
    ("three times per day with meals", "3", "an explicit count; meals say how"),
    ("breakfast, lunch and dinner", "3", "three named meals"),
    ("morning, noon and night", "3", "three parts of the day"),
    ("four times per day", "4", "the vendor's own wording"),
    ("qid", "4", "Latin: four times a day"),
    ("every 6 hours", "4", "24 / 6"),
    ("q 6 h", "4", "spaces in an abbreviation"),
    ("with each meal and at bedtime", "4", "three meals and bedtime"),
    ("every 4 hours", "6", "24 / 4"),
    ("q8hrs", "3", "24 / 8"),
    ("every 8 h", "3", "h is hours"),
    ("8 hourly", "3", "every 8 hours, never 8 times an hour"),
    ("4-6 hourly", "4..6", "every 4 to 6 hours"),
    ("hourly", "24", "each hour"),
    ("everyday", "1", "in one word too"),
    ("twice-daily", "2", "a hyphen is a space"),
    ("every-other-day", "1/2", "a hyphen is a space"),
    ("x 3 per day", "3", "x before the count"),
    ("a.m. and p.m.", "2", "dots do not matter"),
    ("b.i.d. with food", "2", "dots do not matter, nor does the food"),
    ("twice daily w/ food", "2", "w/ is with"),
    ("Mondays, Wednesdays, & Fridays", "3/7", "& is and"),
    ("Mon Wed Fri", "3/7", "a space is and"),
    ("M-F", "5/7", "Monday to Friday"),
    ("evening/bedtime", "?", "one time or two"),
    ("do not exceed 3 per day", "<=3", "only the largest dose"),
    ("every other night at bedtime", "1/2", "the part of the day adds nothing"),
    ("every 36 hours", "2/3", "24 / 36, exactly"),
    ("every other day", "1/2", "each second day"),
    ("every second day", "1/2", "each second day"),
    ("every 2 days", "1/2", "each second day"),
    ("qod", "1/2", "each second day"),
    ("alternate days", "1/2", "each second day"),
    ("every other day at bedtime", "1/2", "the part of the day adds nothing"),
    ("every third day", "1/3", "an ordinal"),
    ("every 3 days", "1/3", "1 / 3, never rounded"),
    ("twice every 3 days", "2/3", "a count per several days"),
    ("once every 3 days", "1/3", "a count per several days"),
    ("weekly", "1/7", "seven days"),
    ("once a week", "1/7", "seven days"),
    ("once weekly", "1/7", "seven days"),
    ("every week", "1/7", "seven days"),
    ("twice weekly", "2/7", "two in seven days"),
    ("3 times per week", "3/7", "three in seven days"),
    ("3 per week", "3/7", "N per week"),
    ("3x/week", "3/7", "slash for per"),
    ("5 days per week", "5/7", "once on each of five days"),
    ("4 days a week", "4/7", "once on each of four days"),
    ("every 2 weeks", "1/14", "fourteen days"),
    ("every other week", "1/14", "fourteen days"),
    ("once a fortnight", "1/14", "fourteen days"),
    ("fortnightly", "1/14", "fourteen days"),
    ("monthly", "1/30", "a month is 30 days by the method"),
    ("once per month", "1/30", "a month is 30 days by the method"),
    ("2 times per month", "1/15", "a month is 30 days by the method"),
    ("once a year", "1/365", "a year is 365 days by the method"),
    ("Monday, Wednesday and Friday", "3/7", "three named weekdays"),
    ("2 times per week on Monday and Thursday", "2/7", "the count and the days agree"),
    ("3 times per week on Monday and Thursday", "?", "the count and the days disagree"),
    ("Mon/Wed/Fri", "3/7", "short names"),
    ("MWF", "3/7", "a usual abbreviation"),
    ("on Tuesdays and Thursdays", "2/7", "two named weekdays"),
    ("every Monday", "1/7", "one named weekday"),
    ("weekdays", "5/7", "Monday to Friday"),
    ("Monday to Friday", "5/7", "a span of weekdays"),
    ("weekends", "2/7", "Saturday and Sunday"),
    ("1-2 times per day", "1..2", "a range"),
    ("1 – 2 times per day", "1..2", "an en dash"),
    ("one to two times a day", "1..2", "number words"),
    ("once or twice daily", "1..2", "a range in words"),
    ("two or three times a day", "2..3", "a range in words"),
    ("every 4-6 hours", "4..6", "24/6 to 24/4"),
    ("q4-6h", "4..6", "24/6 to 24/4"),
    ("every 2-3 days", "1/3..1/2", "the longer interval is the lower rate"),
    ("1 to 3 times a week", "1/7..3/7", "a range per week"),
    ("up to 3 times per day", "<=3", "only the upper end is known"),
    ("max 2 times a day", "<=2", "only the upper end is known"),
    ("no more than twice daily", "<=2", "only the upper end is known"),
    ("as needed", "prn", "taken when wanted"),
    ("twice daily as needed", "prn", "the count is only a limit"),
    ("PRN", "prn", "pro re nata"),
    ("p.r.n.", "prn", "dots do not matter"),
    ("once daily if required", "prn", "another phrase of the method"),
    ("when needed", "prn", "another phrase"),
    (None, "?", "an amount without a frequency is no dose, never once a day"),
    ("", "?", "empty is the same as none"),
    ("once", "?", "once what? perhaps a single dose"),
    ("twice", "?", "twice what?"),
    ("3 times", "?", "three times what?"),
    ("1-2", "?", "one or two what?"),
    ("as directed", "?", "by whom, nobody knows"),
    ("see label", "?", "the label is not here"),
    ("with meals", "?", "says how, or three times; not decidable"),
    ("with food", "?", "says how"),
    ("on an empty stomach", "?", "says how"),
    ("biweekly", "?", "twice a week or every two weeks"),
    ("bimonthly", "?", "twice a month or every two months"),
    ("semi-weekly", "?", "nobody is sure"),
    ("2 weekly", "?", "twice a week or every two weeks"),
    ("2-4 weekly", "?", "times a week or every so many weeks"),
    ("twice daily in the morning", "?", "two times, one time named"),
    ("twice daily with each meal", "?", "two times, three meals"),
    ("in the evening before bed", "?", "one time or two"),
    ("dinner and evening", "?", "one time or two"),
    ("with meals and at bedtime", "?", "how many meals is not said"),
    ("every 4 to 6 hours while awake", "?", "how long one is awake is not said"),
    ("1 in the morning", "?", "an amount in the wrong field"),
    ("one in the morning, two at night", "?", "amounts in the wrong field"),
    ("5 days on, 2 days off", "?", "a cycle without a count per day"),
    ("8 days per week", "?", "there are seven"),
    ("Monday and Monday", "?", "one day twice is a slip"),
    ("Friday to Monday", "?", "which way round the week is doubtful"),
    ("0 times per day", "?", "zero is no dose"),
    ("-1 times per day", "?", "negative"),
    ("every 0 hours", "?", "zero"),
    ("3-2 times per day", "?", "a falling range"),
    ("daily then weekly", "?", "two phases"),
    ("ongoing", "?", "a duration in the wrong field"),
    ("stat", "?", "at once is no rate"),
    ("jeden Tag", "?", "not English"),
    ("once per day " * 20, "?", "too long to be a frequency"),
]

# Once per day.
AMOUNTS = [
    ("1", "1", "a whole number"),
    ("10", "10", "a whole number"),
    ("1.5", "3/2", "a decimal, exactly"),
    (".5", "1/2", "a decimal without its zero is not five"),
    ("0.25", "1/4", "a decimal, exactly"),
    ("1/2", "1/2", "a fraction"),
    ("3/2", "3/2", "an improper fraction of single digits"),
    ("½", "1/2", "a fraction sign"),
    ("1½", "3/2", "not eleven halves"),
    ("1 ½", "3/2", "a whole number and a fraction sign"),
    ("1 1/2", "3/2", "a whole number and a fraction"),
    ("1 and 1/2", "3/2", "spelled with and"),
    ("one", "1", "a number word"),
    ("Two", "2", "a number word"),
    ("one (1)", "1", "word and digit agree"),
    ("half", "1/2", "a word"),
    ("one half", "1/2", "words"),
    ("half a tablet", "1/2", "words and a unit"),
    ("a quarter", "1/4", "words"),
    ("one and a half", "3/2", "words"),
    ("two and a half", "5/2", "words"),
    ("1-2", "1..2", "the vendor's own range"),
    ("10-60", "10..60", "the vendor's own range"),
    ("1 - 2", "1..2", "spaces"),
    ("1–2", "1..2", "an en dash"),
    ("1—2", "1..2", "an em dash"),
    ("1−2", "1..2", "a minus sign"),
    ("1 to 2", "1..2", "to"),
    ("1 or 2", "1..2", "or"),
    ("one to two", "1..2", "number words"),
    ("between 1 and 2", "1..2", "between"),
    ("1/2-1", "1/2..1", "a range from a fraction"),
    ("1 1/2 - 2", "3/2..2", "a range from a mixed number"),
    ("2-2", "2", "a range of one value leaves no doubt"),
    ("1 capsule", "1", "with its unit"),
    ("2 capsule(s)", "2", "with its unit"),
    ("2 caps", "2", "a short unit"),
    ("a capsule", "1", "an article"),
    ("take 2", "2", "a verb adds nothing"),
    ("5 mL", "5", "a volume"),
    ("5ml", "5", "no space"),
    ("1 tsp", "1", "a volume"),
    ("1 to 2 tsp", "1..2", "a range and a unit"),
    ("10 drops", "10", "drops"),
    ("1 dropperful", "1", "a dropper"),
    ("1 scoop", "1", "a scoop"),
    ("5 g", "5", "a weight"),
    ("up to 3", "<=3", "only the upper end is known"),
    ("up to 3 capsules", "<=3", "only the upper end is known"),
    ("at most 2", "<=2", "only the upper end is known"),
    ("maximum 4", "<=4", "only the upper end is known"),
    ("1 as needed", "prn", "in the amount"),
    (None, "?", "no amount"),
    ("", "?", "no amount"),
    ("as directed", "?", "no number"),
    ("0", "?", "zero is no dose"),
    ("0-1", "?", "a range from zero"),
    ("-1", "?", "negative"),
    ("2-1", "?", "a falling range"),
    ("1-1/2", "?", "one and a half, or one to a half"),
    ("1-2-1", "?", "morning-noon-evening notation"),
    ("1,5", "?", "1.5 or 1 to 5"),
    ("1,000", "?", "a thousand or one"),
    ("11/2", "?", "probably a lost space"),
    ("1/0", "?", "no number"),
    ("1e3", "?", "not how people write"),
    ("1²", "?", "a footnote, perhaps"),
    ("two half tablets", "?", "one tablet, or two and a half"),
    ("1 (2)", "?", "word and digit disagree"),
    ("2+", "?", "no upper end"),
    ("at least 2", "?", "no upper end"),
    ("a few", "?", "no number"),
    ("a couple", "?", "no number"),
    ("1 heaping teaspoon", "?", "no measure"),
    ("1 capsule and 1 tablet", "?", "two things"),
    ("1 capsule twice", "?", "a frequency in the wrong field"),
    ("500 mg", "?", "a strength"),
    ("1000 IU", "?", "a strength"),
    ("5 billion CFU", "?", "a strength"),
    ("1%", "?", "a strength"),
    ("up to 1-2", "?", "a limit on a range"),
    ("99999999", "?", "no dose has eight digits"),
    ("1" * 300, "?", "too long to be an amount"),
]

DURATIONS = [
    (None, "unspecified", None, "nothing said"),
    ("", "unspecified", None, "nothing said"),
    ("Ongoing", "ongoing", None, "the vendor's own word"),
    ("on-going", "ongoing", None, "a hyphen"),
    ("continuous", "ongoing", None, "the same in other words"),
    ("long-term", "ongoing", None, "the same in other words"),
    ("until further notice", "ongoing", None, "the same in other words"),
    ("2 months", "finite", 60, "a month is 30 days by the method"),
    ("1 month", "finite", 30, "a month is 30 days by the method"),
    ("1 week", "finite", 7, "seven days"),
    ("one week", "finite", 7, "a number word"),
    ("a week", "finite", 7, "an article"),
    ("4 wks", "finite", 28, "a short unit"),
    ("14 days", "finite", 14, "days"),
    ("x 14 days", "finite", 14, "times is for"),
    ("for 10 days", "finite", 10, "for"),
    ("10d", "finite", 10, "a short unit"),
    ("90-day", "finite", 90, "a hyphen"),
    ("6 mos", "finite", 180, "a short unit"),
    ("1 year", "finite", 365, "a year is 365 days by the method"),
    ("1.5 months", "finite", 45, "a whole number of days"),
    ("as needed", "as_needed", None, "prn"),
    ("as required", "as_needed", None, "prn"),
    ("until next appointment", "unparsable", None, "no date is known"),
    ("until finished", "unparsable", None, "no date is known"),
    ("30", "unparsable", None, "30 what?"),
    ("1-2 weeks", "unparsable", None, "one end or the other"),
    ("1.5 weeks", "unparsable", None, "half a day is left over"),
    ("4 weeks then reassess", "unparsable", None, "what comes then is not said"),
    ("1 bottle", "unparsable", None, "a supply, not a time"),
    ("0 days", "unparsable", None, "zero"),
    ("-3 days", "unparsable", None, "negative"),
    ("9999 years", "unparsable", None, "no calendar goes that far"),
]


def rate(dosage: Dosage) -> str:
    """The notation of the tables."""
    low, high = dosage.units_per_day_min, dosage.units_per_day_max
    if dosage.status == "ok":
        return f"{low}" if low == high else f"{low}..{high}"
    assert low is None
    return {"prn": "prn", "open_range": f"<={high}", "unparsable": "?"}[dosage.status]


@pytest.mark.parametrize(("frequency", "expected", "why"), FREQUENCIES)
def test_frequencies(frequency: str | None, expected: str, why: str) -> None:
    assert rate(parse_dosage("1", frequency)) == expected, why


@pytest.mark.parametrize(("amount", "expected", "why"), AMOUNTS)
def test_amounts(amount: str | None, expected: str, why: str) -> None:
    assert rate(parse_dosage(amount, "once per day")) == expected, why


@pytest.mark.parametrize(("duration", "kind", "days", "why"), DURATIONS)
def test_durations(duration: str | None, kind: str, days: int | None, why: str) -> None:
    dosage = parse_dosage("1", "once per day", duration)
    assert (dosage.duration_kind, dosage.duration_days) == (kind, days), why
    assert dosage.status == ("prn" if kind == "as_needed" else "ok"), "a duration does not change the rate"


def test_at_least_two_hundred_texts_are_decided() -> None:
    decided = {("f", row[0]) for row in FREQUENCIES} | {("a", row[0]) for row in AMOUNTS}
    assert len(decided | {("d", row[0]) for row in DURATIONS}) >= 200


@pytest.mark.parametrize("field", ["amount", "frequency", "duration", "additional_info"])
def test_as_needed_in_any_field_makes_the_dosage_prn(field: str) -> None:
    texts = {"amount": "1", "frequency": "twice per day", "duration": "1 week", "additional_info": "with food"}
    dosage = parse_dosage(**(texts | {field: f"{texts[field]}, as needed"}))
    assert (dosage.status, dosage.units_per_day_min, dosage.units_per_day_max) == ("prn", None, None)


def test_additional_information_never_changes_the_rate() -> None:
    assert rate(parse_dosage("1", "once per day", None, "capsule", "take 3 capsules twice daily for colds")) == "1"


@pytest.mark.parametrize(
    ("amount", "format", "unit", "why"),
    [
        ("2", "capsules", "capsule", "the format is the unit"),
        ("2", "Vegetarian Capsules", "capsule", "an adjective does not change how it is counted"),
        ("2", "delayed-release vegetarian capsules", "capsule", "nor do two"),
        ("1", "Sublingual Tablets", "tablet", "nor does where it melts"),
        ("2 caps", "capsule", "capsule", "both say the same"),
        ("1 tsp", "powder", "teaspoon", "a powder is no unit, the amount's own unit counts"),
        ("5 g", "powder", "gram", "a weighed powder"),
        ("500", "mg", "milligram", "the format itself is a weight; what the pack is decides"),
        ("1", None, None, "no unit is said"),
    ],
)
def test_units(amount: str, format: str | None, unit: str | None, why: str) -> None:
    dosage = parse_dosage(amount, "once per day", None, format)
    assert (dosage.status, dosage.unit) == ("ok", unit), why


@pytest.mark.parametrize(
    ("amount", "format", "why"),
    [
        ("500 mg", "capsule", "a strength: how many capsules is not said"),
        ("500 mg", "powder", "milligrams of what is inside"),
        ("2 capsules", "tablets", "two units that contradict each other"),
        ("1 tsp", "mL", "two volumes that contradict each other"),
        ("1000", "IU", "a strength"),
    ],
)
def test_units_that_leave_doubt(amount: str, format: str, why: str) -> None:
    dosage = parse_dosage(amount, "once per day", None, format)
    assert dosage.status == "unparsable", why
    assert dosage.reason, "the reason is said"


def test_ranges_multiply_end_by_end() -> None:
    assert rate(parse_dosage("1-2", "2-3 times per day")) == "2..6"


def test_a_limit_on_either_side_leaves_only_the_largest_dose() -> None:
    assert rate(parse_dosage("1-2", "up to 3 times per day")) == "<=6"


def test_a_count_that_may_repeat_the_amount_is_doubtful() -> None:
    assert parse_dosage("2", "2 per day").status == "unparsable"
    assert rate(parse_dosage("2", "3 per week")) == "6/7"


def test_a_duration_inside_the_frequency_counts_when_it_contradicts_nothing() -> None:
    assert parse_dosage("1", "once daily for 14 days").duration_days == 14
    assert parse_dosage("1", "once daily x 2 weeks", "14 days").duration_days == 14
    assert parse_dosage("1", "once daily for 14 days", "1 month").status == "unparsable"


def test_assumptions_are_reported() -> None:
    dosage = parse_dosage("1", "with each meal", "2 months")
    assert dosage.assumptions == ("there are three meals a day", "a month is 30 days")
    assert parse_dosage("1", "twice per day", "10 days").assumptions == ()


def test_the_vendors_examples() -> None:
    assert rate(parse_dosage("10-60", "four times per day", None, "drop", "with meals")) == "40..240"
    assert rate(parse_dosage("10-60", "four times per day", "as needed", "drop", "with meals")) == "prn"
    lozenges = parse_dosage("3", "Once per day", "1 week", "lozenges")
    assert (rate(lozenges), lozenges.unit, lozenges.duration_days) == ("3", "lozenge", 7)


NUMBERS = st.one_of(
    st.integers(1, 999).map(str),
    st.integers(1, 9999).map(lambda n: f"{n // 100}.{n % 100:02d}").filter(lambda text: float(text) > 0),
    st.tuples(st.integers(1, 9), st.integers(2, 9)).filter(lambda ab: ab[0] < ab[1]).map(lambda ab: f"{ab[0]}/{ab[1]}"),
)


@given(NUMBERS, NUMBERS, st.sampled_from(["-", " - ", "–", " — ", " to ", " or "]))
def test_every_range_is_read_exactly_or_refused(first: str, second: str, between: str) -> None:
    dosage = parse_dosage(f"{first}{between}{second}", "once per day")
    low, high = Fraction(first), Fraction(second)
    # "1-1/2" is read as a mixed number by people: only a rising range is clear.
    if low <= high:
        assert (dosage.units_per_day_min, dosage.units_per_day_max) == (low, high)
    else:
        assert dosage.status == "unparsable"


@given(st.integers(1, 24), st.sampled_from([("day", 1), ("week", 7), ("month", 30)]), NUMBERS)
def test_times_per_period_is_exact(times: int, period: tuple[str, int], amount: str) -> None:
    dosage = parse_dosage(amount, f"{times} times per {period[0]}")
    assert dosage.units_per_day_max == Fraction(amount) * Fraction(times, period[1])


ANY_TEXT = st.one_of(st.none(), st.text(max_size=40), st.from_regex(r"[0-9/ .,x-]{0,12}(day|week|to|half|every|up)?"))


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_whatever_is_written_the_answer_is_whole(
    amount: str | None, frequency: str | None, duration: str | None, format: str | None, info: str | None
) -> None:
    """Never an exception, and never a rate without a status that allows it."""
    dosage = parse_dosage(amount, frequency, duration, format, info)
    low, high = dosage.units_per_day_min, dosage.units_per_day_max
    if dosage.status == "ok":
        assert low is not None and high is not None and 0 < low <= high
    else:
        assert low is None and dosage.reason
        assert (high is not None) == (dosage.status == "open_range")
    assert (dosage.duration_days is not None) == (dosage.duration_kind == "finite")


@given(st.sampled_from([row for row in FREQUENCIES if row[0]]), st.sampled_from(["upper", "title", "spaces", "dot"]))
def test_case_spaces_and_a_full_stop_do_not_matter(row: tuple[str, str, str], change: str) -> None:
    text = row[0]
    changed = {"upper": text.upper(), "title": text.title(), "spaces": f"  {text} ", "dot": f"{text}."}[change]
    assert rate(parse_dosage("1", changed)) == row[1]
