"""When in the day: morning, bedtime, meals, and lists of them.

Times joined by "and" must differ; times that follow without a joint must be able to be the same moment. What does not
belong here: counted frequencies (periods.py), distances from food (asides.py), hours of the clock (clocks.py).
"""

from fractions import Fraction

from fullscript_pipeline.adherence.dosage.clocks import (
    Moment,
    may_be_at,
    read_bare_clock,
    read_clock,
    read_hour_in_one_word,
)
from fullscript_pipeline.adherence.dosage.cursor import Cursor, read_span
from fullscript_pipeline.adherence.dosage.facts import Facts, Meals, Neutral, Parts, Span, Times, UnreadableError
from fullscript_pipeline.adherence.dosage.quantities import read_quantity

_MEALS_A_DAY = 3
# What a list of times of day has between its items.
_PARTS_LISTED = (",", ";", ".", "/", "|")
# "Repas" is one or several: the word before it tells.
_SEVERAL = {"meals", "les", "des", "vos", "mes", "tes", "ses", "aux"}
_PREFERRED = {"preference", "idealement", "preferablement", "plutot", "preferably", "ideally"}
# In Quebec "diner" is at noon, in France in the evening: two different meals of one text are two moments.
_MEALS = {"breakfast", "lunch", "dinner", "supper", "petit-dejeuner", "dejeuner", "repas-du-midi", "diner", "souper"}


def read_parts(cursor: Cursor) -> Parts | None:
    """`in the morning and at bedtime`, `with breakfast, lunch and dinner`, `with each meal`, `at 8 am and 8 pm`."""
    first = cursor.attempt(_moment)
    if first is None:
        return None
    moments = [first]
    least = most = _number(first)
    joints: list[str] = []
    while following := cursor.attempt(lambda at: _joined_moment(at, moments[-1])):
        joint, moment = following
        least, most = _add_moment(moments, moment, joint=joint, least=least, most=most)
        moments.append(moment)
        joints.append(joint)
    if not joints:
        cursor.attempt(lambda at: _explanation(at, first))
    if joints == [","] and _may_be_same(*moments):
        # "In the morning, with breakfast"; of three times, none explains another.
        most = least
    if joints and joints[-1] == "or" and set(joints) <= {",", "or"}:
        # "Breakfast, lunch or dinner" is one of them.
        least = most = _number(first)
    has_meals = any(moment.is_meals for moment in moments)
    return Parts(
        least=least,
        most=most,
        names=tuple(moment.name for moment in moments),
        has_meals=has_meals,
        is_every_day=any(moment.is_every_day for moment in moments),
    )


def _explanation(cursor: Cursor, moment: Moment) -> str | None:
    """`(1 hour before bed)`, `, preferably at dinner`: a moment that can be the same, and says when it is."""
    is_bracket = cursor.sign("(") is not None
    if not is_bracket:
        cursor.sign(",")
        if cursor.word("preferably") is None:
            return None
    same = cursor.attempt(_moment)
    if same is None or same.is_meals or moment.is_meals:
        return None
    is_hour = moment.is_clock != same.is_clock and may_be_at(*((moment, same) if moment.is_clock else (same, moment)))
    if not (is_hour or _may_be_same(moment, same) or _is_late(moment, same)):
        return None
    return cursor.sign(")") if is_bracket else same.name


def _joined_moment(cursor: Cursor, last: Moment) -> tuple[str, Moment] | None:
    """One more moment and what stands before it; after a clock time the next needs no "at"."""
    joint = _joint(cursor)
    cursor.word("verb")
    moment = cursor.attempt(_moment) or (cursor.attempt(read_bare_clock) if last.is_clock else None)
    if moment is None or (last.is_one_word and moment.is_clock and not moment.is_one_word):
        # Beside "8am", "2 pm" may be two of them.
        return None
    return joint, moment


def _joint(cursor: Cursor) -> str:
    """What stands between two times: and, or, a slash, a comma, or nothing (empty)."""
    # How to take it may stand between two times: "in the morning with food and at bedtime".
    cursor.word("neutral")
    comma = cursor.sign(",;")
    if cursor.sign("&+") or cursor.word("and"):
        return "and"
    if cursor.word("or"):
        return "or"
    if cursor.sign("/"):
        return "/"
    return "," if comma else ""


def _number(moment: Moment) -> int:
    return _MEALS_A_DAY if moment.is_meals else 1


def _add_moment(moments: list[Moment], new: Moment, joint: str, least: int, most: int) -> tuple[int, int]:
    """How many moments there are with one more, at least and at most."""
    if any(moment.is_meals for moment in (*moments, new)) and not (
        new.groups == {"night"} or moments[-1].groups == {"night"}
    ):
        raise UnreadableError("how many meals are meant is not said")
    same = [moment for moment in moments if _may_be_same(moment, new)]
    if joint == "or" or (joint in ("", ",") and _explains(moments[-1], new)):
        return least, most
    if joint in ("", ",") and moments[-1].is_clock != new.is_clock:
        return _add_hour(moments[-1], new, joint=joint, least=least, most=most)
    if joint == "" and (new.is_meals or moments[-1].is_meals):
        raise UnreadableError("how many meals are meant is not said")
    if joint == "" and not new.has_lead and not same and not _is_late(moments[-1], new):
        # "morning noon night": a list without its commas.
        return least + 1, most + 1
    if joint == "":
        if not _may_be_same(moments[-1], new) and not _is_late(moments[-1], new):
            raise UnreadableError("two times of day with nothing between them can be one or two")
        return least, most if _may_be_same(moments[-1], new) else most + 1
    if same and (joint == "and" or any(moment.name == new.name for moment in same)):
        raise UnreadableError("two names of one time of day can be one or two")
    number = _number(new)
    # "Evening, bedtime" alone may be one time; "morning, evening, bedtime" is a list.
    is_short = joint == "/" or (joint == "," and len(moments) == 1)
    unsure = bool(same) or (is_short and _is_late(moments[-1], new))
    return least + (0 if unsure else number), most + number


def _add_hour(last: Moment, new: Moment, joint: str, least: int, most: int) -> tuple[int, int]:
    """ "Every evening at 9:00" is one time, "at 6 pm, bedtime" one or two."""
    clock, part = (last, new) if last.is_clock else (new, last)
    if not may_be_at(clock, part):
        if not joint:
            raise UnreadableError("how many times of day are meant is not said")
        return least + 1, most + 1
    return least, most + (1 if joint else 0)


def _explains(last: Moment, new: Moment) -> bool:
    """`in the evening, 1 hour before bed`: the distance only says when in the evening."""
    if not new.distance or new.distance == last.distance:
        return False
    if not (_may_be_same(last, new) or _is_late(last, new)):
        raise UnreadableError("how many times of day are meant is not said")
    return True


def _may_be_same(first: Moment, second: Moment) -> bool:
    if first.name == second.name:
        return True
    if first.name in _MEALS and second.name in _MEALS:
        return first.groups == second.groups
    return bool(first.groups & second.groups)


def _is_late(first: Moment, second: Moment) -> bool:
    """Evening and night are close enough to be one time."""
    return first.groups | second.groups == {"evening", "night"}


def _moment(cursor: Cursor) -> Moment | None:
    for rule in (_latin_part, _each_meal, read_clock, read_hour_in_one_word, _named):
        moment = cursor.attempt(rule)
        if moment is not None:
            return moment
    return None


def _latin_part(cursor: Cursor) -> Moment | None:
    name = cursor.word("q_part")
    return None if name is None else Moment(name=name, groups=cursor.groups(name), is_every_day=True)


def _each_meal(cursor: Cursor) -> Moment | None:
    read_lead_time(cursor)
    cursor.word("meal_preposition")
    if cursor.word("each_meal") is None or cursor.word("meals") is None:
        return None
    cursor.attempt(_of_the_day)
    return Moment(name="meals", groups=frozenset({"meals"}), is_meals=True)


def _of_the_day(cursor: Cursor) -> bool | None:
    """`with 2 meals a day`; those of a week are another number."""
    return True if cursor.word("per") and cursor.word("period") == "day" else None


def _named(cursor: Cursor) -> Moment | None:
    start = cursor.place
    has_lead = read_lead_time(cursor)
    distance = " ".join(token.text for token in cursor.tokens[start : cursor.place])
    is_every_day = False
    while lead := cursor.word("each_lead", "part_lead"):
        has_lead = True
        is_every_day |= lead == "each_lead"
    leads = {token.text for token in cursor.tokens[start : cursor.place]}
    # "Le soir, de préférence au coucher" says when, as a distance does.
    distance = distance or " ".join(sorted(leads & _PREFERRED))
    before = cursor.tokens[cursor.place - 1].text if cursor.place > start else ""
    name = cursor.word("part")
    if name is None or (name == "main-meal" and {before, cursor.tokens[cursor.place - 1].text} & _SEVERAL):
        return None
    cursor.word("its_meal")
    return Moment(
        name=name,
        groups=cursor.groups(name),
        distance=distance,
        has_lead=has_lead,
        is_every_day=is_every_day,
    )


def read_lead_time(cursor: Cursor) -> bool:
    """`30 minutes before`, `1-2 hours after`: how long before a time of day or a meal changes nothing."""
    return cursor.attempt(_lead_time) is not None


def _lead_time(cursor: Cursor) -> bool | None:
    return True if cursor.attempt(read_short_time) and cursor.word("time_before") else None


def read_short_time(cursor: Cursor) -> bool | None:
    """`30 minutes`, `a few hours`."""
    cursor.word("approximately")
    number = cursor.word("vague") or read_span(cursor) or cursor.word("article")
    return True if number and cursor.word("period") in ("minute", "hour") else None


def read_meals(cursor: Cursor) -> Meals | Parts | Times | Neutral | None:
    """`with meals`, `before meals`, `ac`, `30 min ac`; `with 2 meals` is twice, `with 1-2 meals` once or twice."""
    if cursor.attempt(lambda at: at.attempt(read_short_time) and at.word("meal_latin")) or cursor.word("meal_latin"):
        return cursor.attempt(_and_bedtime) or Meals()
    has_lead = read_lead_time(cursor)
    if cursor.word("meal_preposition") is None and not has_lead:
        return None
    number = cursor.attempt(read_span)
    is_choice = cursor.word("meal_size") is not None
    cursor.word("main_meals")
    if cursor.word("meals") is None or cursor.tokens[cursor.place - 1].text == "meal":
        return None
    cursor.word("main_meals")
    if number is not None:
        return _counted_meals(cursor, number)
    # "With your biggest meals": which ones, not how many.
    return Neutral() if is_choice else cursor.attempt(_and_bedtime) or Meals()


def _counted_meals(cursor: Cursor, number: Span) -> Parts | Times:
    cursor.attempt(_of_the_day)
    if number.low.denominator * number.high.denominator != 1:
        raise UnreadableError("how many meals are meant is not said")
    if not number.is_single:
        return Times(rate=number, period=Fraction(1))
    return Parts(least=int(number.high), most=int(number.high), names=("meals",))


def _and_bedtime(cursor: Cursor) -> Parts | None:
    """`with meals and at bedtime`: three meals and one more time."""
    if _joint(cursor) not in ("and", ","):
        return None
    moment = cursor.attempt(_moment)
    if moment is None or moment.groups != {"night"}:
        return None
    return Parts(least=_MEALS_A_DAY + 1, most=_MEALS_A_DAY + 1, names=("meals", moment.name), has_meals=True)


def read_labelled_quantity(cursor: Cursor) -> Facts | None:
    """`AM: 2`, `Morning - 2 caps`: the amount after its time of day, in the order that a sum of parts has."""
    is_start = not cursor.place or cursor.tokens[cursor.place - 1].text in _PARTS_LISTED
    parts = cursor.attempt(read_parts)
    # "1 in the morning - 2 at night" has the time after the amount.
    if parts is None or cursor.sign(":-" if is_start else ":") is None:
        return None
    quantity = read_quantity(cursor)
    return None if quantity is None else (quantity, parts)
