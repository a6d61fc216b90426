"""Parts of the day, meals and weekdays inside a frequency text.

What does not belong here: counted frequencies ("three times per day", frequency.py). The neutral phrases say how to
take something, never how often; alone they are no frequency.
"""

import re
from dataclasses import dataclass

_MEAL = r"(?:food|meals?|a meal|a (?:small )?snack|water|a (?:full )?glass of water|juice|eating|fat|a fatty meal)"
NEUTRAL = re.compile(
    rf"(?<= )(?:,? ?(?:to be )?(?:taken )?(?:with or without|with|without|before|after|between|away from) {_MEAL}"
    r"|,? ?(?:\d+ (?:min|minutes|hour) )?(?:before|after) (?:food|meals?|eating)"
    r"|,? ?(?:taken )?on (?:an )?empty stomach|,? ?preferably"
    r"|,? ?(?:ac|pc|po|by mouth|orally|sublingually|under the tongue))(?=[ ,])"
)

# Words of one group name the same time; evening and night are close enough to need "and" between them.
_GROUPS = {
    "morning": "morning|mornings|morning meal|am|breakfast|waking|rising|upon waking|arising",
    "noon": "noon|midday|midday meal|lunch|lunchtime",
    "afternoon": "afternoon|mid-afternoon",
    "evening": "evening|evenings|evening meal|pm|dinner|supper|dinnertime",
    "night": "night|nighttime|bedtime|bed|sleep",
}
_WORD_GROUP = {word: group for group, words in _GROUPS.items() for word in words.split("|")}
_LEAD = (
    r"(?:\d+ (?:min|mins|minutes|hour) (?:before|after)|first thing in the|going to"
    r"|in the|in|at|before|with|after|every|each|per|on|upon)"
)
_WORD = "|".join(sorted(_WORD_GROUP, key=len, reverse=True))
_DETERMINED = rf"(?:{_LEAD} )*(?:the |your |my )?(?P<w>{_WORD})"
_EACH_MEAL = r"(?:(?:with|at|before|after) )?(?:each|every|all|all 3|3) (?:main )?meals?(?: per day)?"
_ITEM = re.compile(rf"\s*(?:1 times )?(?:(?P<meals>{_EACH_MEAL})|{_DETERMINED})\b")
# Two names of late hours: "evening/bedtime" may be one time or two.
_LATE = re.compile(r".*(?:evening|pm|dinner|supper) ?/ ?(?:at )?(?:night|bedtime|bed|sleep).*")
_SEPARATOR = re.compile(r"\s*(?:,? and |,|&|\+|/| plus |;)\s*")

_DAY_NAMES = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_DAY_WORDS = {
    spelling: index
    for index, name in enumerate(_DAY_NAMES)
    for spelling in (name, f"{name}s", name[:3], {1: "tues", 2: "weds", 3: "thurs"}.get(index, name[:3]), name[:4])
}
_WEEKDAY_SETS = {
    "mwf": 3,
    "m/w/f": 3,
    "m-w-f": 3,
    "weekdays": 5,
    "weekends": 2,
    "the weekend": 2,
    "weekdays only": 5,
    "m-f": 5,
}


@dataclass(frozen=True)
class DayParts:
    """`count` named times a day, and the `rest` of the text that does not name one."""

    count: int
    rest: str
    assumptions: tuple[str, ...] = ()


def read_dayparts(core: str) -> DayParts | None:
    """The run of day parts that ends the text, or None when the text does not end in one.

    Times joined by "and" or a comma must differ; times that follow without one must mean the same
    ("in the morning with breakfast"). Anything else is doubtful, hence None.
    """
    for start in _starts(core):
        parsed = _run(core[start:])
        if parsed is not None:
            return DayParts(parsed[0], core[:start].strip(" ,:(-"), parsed[1])
    return None


def _starts(core: str) -> list[int]:
    return [0, *(match.end() for match in re.finditer(r"[ ,]+", core))]


def _run(text: str) -> tuple[int, tuple[str, ...]] | None:
    """Count and assumptions when the whole text is day parts and separators."""
    seen: list[str] = []
    position, joined = 0, True
    while position < len(text):
        match = _ITEM.match(text, position)
        if match is None:
            return None
        group = "meals" if match["meals"] else _WORD_GROUP[match["w"]]
        if joined == (group in seen) or (not joined and group != seen[-1]):
            return None
        if joined:
            seen.append(group)
        position = match.end()
        separator = _SEPARATOR.match(text, position)
        joined = separator is not None
        if separator is not None and "/" in separator[0] and _LATE.fullmatch(text):
            return None
        position = separator.end() if separator else position
    if not seen or joined or ("meals" in seen and set(seen) - {"meals", "night"}):
        return None
    meals = ("there are three meals a day",) if "meals" in seen else ()
    return len(seen) + (2 if "meals" in seen else 0), meals


def read_weekdays(core: str) -> int | None:
    """How many different weekdays a text names, or None when it names anything else or one day twice."""
    flat = re.sub(r"^(?:(?:1 times )?per day )?(?:(?:only )?on |every |each |per )?", "", core)
    if flat in _WEEKDAY_SETS:
        return _WEEKDAY_SETS[flat]
    if match := re.fullmatch(r"(\w+) ?(?:-|to|through|thru) ?(\w+)", flat):
        first, last = (_DAY_WORDS.get(word) for word in match.groups())
        return last - first + 1 if first is not None and last is not None and first < last else None
    days = [_DAY_WORDS.get(word) for word in re.split(r"\s*(?:,? and |,|&|\+|/)\s*(?:every |each |on )?| ", flat)]
    if not days or None in days or len(set(days)) != len(days):
        return None
    return len(days)
