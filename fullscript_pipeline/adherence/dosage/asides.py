"""Words that carry no rate: route, food, water, distance from food, purposes. A closed list; the rest is refused.

What does not belong here: anything that changes how much, how often or how long.
"""

from fullscript_pipeline.adherence.dosage.cursor import Cursor, read_span
from fullscript_pipeline.adherence.dosage.facts import EachDose, Neutral
from fullscript_pipeline.adherence.dosage.moments import read_lead_time, read_parts, read_short_time
from fullscript_pipeline.adherence.dosage.unit_words import read_unit_alone
from fullscript_pipeline.adherence.units import MOST_PIECES_AT_A_TIME

_STEEPED = {"steep", "steeped", "brew", "brewed", "infuse", "infused", "infuser", "infusee", "infusez"}
# What is kept in the mouth.
_HELD = {"spray", "drop", "dropper", "milliliter", "teaspoon", "tablespoon", "pellet", "squirt"}
# What herbs are steeped in: minutes behind it are how long.
_HOT = {"hot", "boiling", "boiled", "chaude", "bouillante", "bouillie", "fremissante"}


def read_neutral(cursor: Cursor) -> Neutral | None:
    """A phrase of the closed list, or a verb ("take", "apply")."""
    if cursor.word("each_dose"):
        return EachDose()
    return Neutral() if cursor.word("neutral", "verb") else None


def read_preparation(cursor: Cursor) -> Neutral | None:
    """`capsules can be opened and mixed`: what may be done with it before it is taken."""
    if cursor.word("may_be") is None or cursor.word("prepared") is None:
        return None
    while cursor.attempt(lambda at: (at.word("and", "or") or at.sign(",/")) and at.word("prepared")):
        pass
    return Neutral()


def read_liquid(cursor: Cursor) -> Neutral | None:
    """`in 8 oz of water`, `mixed with a glass of juice`, `per cup of hot water`: the numbers are the water's."""
    if cursor.word("per_cup"):
        return _of_liquids(cursor)
    first, start = cursor.token.text if cursor.token else "", cursor.place
    if cursor.word("liquid_preposition") is None or _in_liquids(cursor) is None:
        return None
    is_hot = any(token.text in _HOT for token in cursor.tokens[start : cursor.place])
    if first in _STEEPED or is_hot:
        cursor.attempt(_for_minutes)
    return Neutral()


def _for_minutes(cursor: Cursor) -> bool | None:
    """`15 min`, after what it is steeped in."""
    cursor.word("for")
    return True if read_span(cursor) and cursor.word("period") in ("second", "minute") else None


def _in_liquids(cursor: Cursor) -> Neutral | None:
    start = cursor.place
    if cursor.word("glass") and _of_liquids(cursor):
        return Neutral()
    cursor.place = start
    if cursor.attempt(_of_liquids):
        return Neutral()
    cursor.word("approximately")
    if cursor.word("glass") is None and read_span(cursor) is not None:
        unit = read_unit_alone(cursor)
        if unit is None or unit.kind not in ("volume", "ounce"):
            return None
        cursor.word("of")
    return _of_liquids(cursor)


def _of_liquids(cursor: Cursor) -> Neutral | None:
    """`water`, `water or juice`, `warm almond milk`, `de la compote`."""
    if cursor.word("liquid") is None and cursor.attempt(_described_liquid) is None:
        return None
    cursor.word("of_choice")
    while cursor.attempt(_another_liquid):
        cursor.word("of_choice")
    return Neutral()


def _described_liquid(cursor: Cursor) -> str | None:
    cursor.word("liquid_article")
    while cursor.word("liquid_kind"):
        pass
    return cursor.word("liquid")


def _another_liquid(cursor: Cursor) -> str | None:
    comma = cursor.sign(",/")
    if not (cursor.word("or") or comma):
        return None
    return cursor.word("liquid")


def read_body(cursor: Cursor) -> Neutral | None:
    """`to inner forearm`, `sur le poignet`: one place; "each wrist" would be two."""
    return Neutral() if cursor.word("on_body") and cursor.word("body") else None


def read_distance(cursor: Cursor) -> Neutral | None:
    """`2 hours away from food`, `1 hour before or 2 hours after eating`, `a few hours before taking ...`."""
    if read_lead_time(cursor) or cursor.attempt(_time_away):
        if cursor.word("or"):
            cursor.attempt(_any_time)
        cursor.sign(",")
    elif cursor.word("away") is None:
        return Neutral() if cursor.attempt(_between_doses) else None
    cursor.word("taking")
    if not _listed(cursor, "apart", "companion"):
        return None
    cursor.attempt(_bracketed_time) or cursor.attempt(_by_time)
    return Neutral()


def _by_time(cursor: Cursor) -> bool | None:
    """`by 4 hours`, behind what it is the distance from."""
    return cursor.attempt(read_short_time) if cursor.word("distance_by") else None


def _bracketed_time(cursor: Cursor) -> str | None:
    """`(2 hours)`, `(min. 2 h)`, behind what it is the distance from."""
    if cursor.sign("(") is None:
        return None
    cursor.word("approximately")
    cursor.sign(".")
    return cursor.sign(")") if cursor.attempt(read_short_time) else None


def _any_time(cursor: Cursor) -> bool | None:
    return True if read_lead_time(cursor) or cursor.word("time_before") or cursor.attempt(_time_away) else None


def _time_away(cursor: Cursor) -> bool | None:
    """`3 hours away from`: when not; it never says how often, as "2 hours after meals" does."""
    # "À 2 heures d'intervalle du fer".
    short = cursor.attempt(read_short_time) or (cursor.word("clock") and read_short_time(cursor))
    return True if short and cursor.word("time_away") else None


def _between_doses(cursor: Cursor) -> str | None:
    """`4 hours apart`."""
    cursor.word("clock")
    cursor.word("approximately")
    if read_span(cursor) is None or cursor.word("period") not in ("minute", "hour"):
        return None
    return cursor.word("apart_from_each_other")


def read_together(cursor: Cursor) -> Neutral | None:
    """`with your multivitamin`, `avec la vitamine C`: what else is taken then, each of them no dose of this."""
    return Neutral() if cursor.word("together") and _listed(cursor, "companion") else None


def _listed(cursor: Cursor, *kinds: str) -> bool:
    """`coffee`, `your coffee, tea and iron`: one thing or several of these kinds."""
    if cursor.attempt(lambda at: _item(at, kinds)) is None:
        return False
    while cursor.attempt(lambda at: _another_item(at, kinds)):
        pass
    return True


def _item(cursor: Cursor, kinds: tuple[str, ...]) -> str | None:
    plain = cursor.attempt(lambda at: at.word(*kinds))
    return plain or (cursor.word(*kinds) if cursor.word("item_article") else None)


def _another_item(cursor: Cursor, kinds: tuple[str, ...]) -> str | None:
    comma = cursor.sign(",/&")
    return _item(cursor, kinds) if cursor.word("item_joint") or comma else None


def read_storage(cursor: Cursor) -> Neutral | None:
    """`keep in the fridge`, `refrigerate after opening`: where the pack is kept."""
    if cursor.word("storage") is None:
        return None
    place = cursor.word("storage_place")
    when = cursor.word("storage_when")
    return Neutral() if place or when else None


def read_dispensed(cursor: Cursor) -> Neutral | None:
    """`Disp: 90 caps`, `qty #60`, `no refills`: what the pharmacy hands out is no dose."""
    if cursor.word("dispense_nothing"):
        return Neutral()
    is_said = cursor.word("dispense") is not None
    cursor.sign(":")
    if cursor.sign("#") is None and not is_said:
        return None
    number = read_span(cursor)
    # A smaller number may be a dose: "qty 2 daily".
    if number is None or number.low <= MOST_PIECES_AT_A_TIME:
        return None
    cursor.word("unit", "container")
    return Neutral()


def read_hold(cursor: Cursor) -> Neutral | None:
    """`for 30 seconds`, `hold under the tongue 1 minute`, `steep 10 min`: how long before it is swallowed."""
    if cursor.attempt(_held_amount):
        return Neutral()
    is_held = cursor.word("hold") is not None
    is_said = bool(cursor.word("for")) or is_held
    cursor.word("approximately")
    if read_span(cursor) is None:
        return None
    period = cursor.word("period")
    is_before = is_held and cursor.attempt(_before_a_meal)
    is_short = period == "second" or (is_said and period == "minute")
    return Neutral() if is_short or (is_before and period == "hour") else None


def _held_amount(cursor: Cursor) -> bool | None:
    """`hold`, before `2 sprays under the tongue`: before days it would be a pause."""
    if cursor.word("held_amount") is None:
        return None
    place = cursor.place
    unit = read_unit_alone(cursor) if read_span(cursor) else None
    cursor.place = place
    return True if unit is not None and unit.name in _HELD else None


def _before_a_meal(cursor: Cursor) -> bool | None:
    """`wait 20 min | before breakfast`."""
    return True if cursor.word("time_before") and cursor.word("part", "apart", "meals") else None


def read_worn(cursor: Cursor) -> Neutral | None:
    """`wear for 12 hours`, `remove at bedtime`: how long a patch stays where it is."""
    if cursor.word("worn_overnight"):
        return Neutral()
    if cursor.attempt(_worn_hours):
        return Neutral()
    return Neutral() if cursor.word("removed") and read_parts(cursor) else None


def _worn_hours(cursor: Cursor) -> bool | None:
    if cursor.word("worn") is None:
        return None
    cursor.word("approximately")
    return True if read_span(cursor) and cursor.word("period") in ("minute", "hour") else None


def _support_of(cursor: Cursor) -> bool | None:
    """`magnesium levels`, `iron stores`."""
    return True if cursor.word("nutrient", "companion") and cursor.word("supported") else None


def read_purpose(cursor: Cursor) -> Neutral | None:
    """`for sleep`, `for immune support`: one of the listed purposes; "for" with anything else is a condition."""
    if cursor.word("for_purpose") is None or (cursor.word("purpose") is None and not cursor.attempt(_support_of)):
        return None
    while True:
        place = cursor.place
        cursor.word("purpose_tail")
        cursor.sign(",&/")
        cursor.word("and")
        cursor.word("item_article")
        if cursor.word("purpose") is None:
            cursor.place = place
            cursor.word("purpose_tail")
            return Neutral()
