"""Cron expressions: five fields, names, steps, `L`, `LW`, `#`, and `@daily` and its kin. Pure.

What is wrong is refused here, with its position; what comes out has the one spelling that cronsim reads, so an
expression means the same everywhere.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from slipway_scheduler.problems import BadExpression

LONGEST = 256
MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
TERM = re.compile(r"(?P<first>\*|\?|[A-Z]+|[0-9]+)(?:-(?P<last>[A-Z]+|[0-9]+))?(?:/(?P<step>[0-9]*))?")


@dataclass(frozen=True)
class Field:
    """One of the five: its name and its values."""

    name: str
    lowest: int
    highest: int
    names: tuple[str, ...] = ()
    names_from: int = 0


FIELDS = (
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of month", 1, 31),
    Field("month", 1, 12, MONTHS, 1),
    Field("day of week", 0, 7, WEEKDAYS, 0),
)
DAY, MONTH, WEEKDAY = FIELDS[2], FIELDS[3], FIELDS[4]


@dataclass(frozen=True)
class Expression:
    """An expression that is right."""

    text: str
    """In the one spelling: five fields, single spaces, capitals, numbers for names."""
    frequent: bool
    """Due in every minute or every hour: such a one goes by the clock on the wall also when that is changed."""


@lru_cache(maxsize=8192)
def parse(text: str) -> Expression:
    """Read an expression; BadExpression says what is wrong and where."""
    if len(text) > LONGEST:
        raise BadExpression(f"longer than {LONGEST} characters", LONGEST)
    for position, letter in enumerate(text):
        if not (letter.isascii() and letter.isprintable()) and letter != "\t":
            raise BadExpression(f"{letter!r} can't stand in an expression", position)
    stripped = text.strip()
    if stripped.startswith("@"):
        return parse(_macro(stripped, text.index("@")))
    words = [(found.start(), found[0].upper()) for found in re.finditer(r"\S+", text)]
    if len(words) != len(FIELDS):
        raise _wrong_count(words, len(text))
    terms = [list(_terms(field, *word)) for field, word in zip(FIELDS, words, strict=True)]
    _check_days(terms, words)
    fields = [",".join(each) for each in terms]
    return Expression(" ".join(fields), frequent=fields[0].startswith("*") or fields[1].startswith("*"))


def _macro(word: str, position: int) -> str:
    known = MACROS.get(word.lower())
    if known is None:
        raise BadExpression(f"{word!r} is not one of {', '.join(MACROS)}", position)
    return known


def _wrong_count(words: list[tuple[int, str]], end: int) -> BadExpression:
    if len(words) > len(FIELDS):
        return BadExpression(
            f"{len(words)} fields, where minute, hour, day of month, month and day of week are five "
            "(there are no seconds and no years)",
            words[len(FIELDS)][0],
        )
    missing = FIELDS[len(words)].name
    return BadExpression(f"the field {missing} is missing: there are five, {len(words)} are given", end, missing)


def _terms(field: Field, position: int, word: str) -> Iterator[str]:
    for term in word.split(","):
        yield _term(field, position, term)
        position += len(term) + 1


def _term(field: Field, position: int, term: str) -> str:
    if not term:
        raise BadExpression("something is missing here", position, field.name)
    if field is DAY and term in ("L", "LW"):
        return term
    if field is WEEKDAY and (special := _special_weekday(position, term)):
        return special
    match = TERM.fullmatch(term)
    if match is None:
        raise BadExpression(f"{term!r} is not understood", position + _good_part(term), field.name)
    first, step = _first(field, match, position), _step(field, match, position)
    if match["last"] is None:
        return first + step
    if first == "*":
        raise BadExpression(f"{match['first']!r} has no end", position + match.start("last") - 1, field.name)
    last = _last(field, match, int(first), position)
    return f"{0 if field is WEEKDAY and first == '7' and last < 7 else first}-{last}{step}"


def _good_part(term: str) -> int:
    """How far a term can be read."""
    match = TERM.match(term)
    return match.end() if match else 0


def _first(field: Field, match: re.Match[str], position: int) -> str:
    if match["first"] == "*":
        return "*"
    if match["first"] == "?":
        if field not in (DAY, WEEKDAY):
            raise BadExpression("'?' stands for a day only", position, field.name)
        return "*"
    return str(_value(field, match["first"], position))


def _last(field: Field, match: re.Match[str], first: int, position: int) -> int:
    at = position + match.start("last")
    last = _value(field, match["last"], at)
    if field is WEEKDAY and last == 0 and first > 0:
        last = 7  # a week may end on a Sunday
    if last < first and not (field is WEEKDAY and first == 7):
        instead = f"{match['first']}-{field.highest},{field.lowest}-{match['last']}"
        raise BadExpression(f"the range ends before it begins; write {instead}", at, field.name)
    return last


def _step(field: Field, match: re.Match[str], position: int) -> str:
    if match["step"] is None:
        return ""
    at = position + match.start("step")
    if not match["step"] or int(match["step"]) == 0:
        raise BadExpression("a step is a number from 1 on", at, field.name)
    if int(match["step"]) > field.highest:
        raise BadExpression(f"a step of {match['step']} is longer than the field ({field.highest})", at, field.name)
    return f"/{int(match['step'])}"


def _value(field: Field, word: str, position: int) -> int:
    if word in field.names:
        return field.names.index(word) + field.names_from
    shown = f" or {field.names[0]} to {field.names[-1]}" if field.names else ""
    if not word.isdigit():
        raise BadExpression(f"{word!r} is not a number{shown}", position, field.name)
    if not field.lowest <= int(word) <= field.highest:
        raise BadExpression(f"{word} is not between {field.lowest} and {field.highest}{shown}", position, field.name)
    return int(word)


def _special_weekday(position: int, term: str) -> str:
    """`5L`, `FRIL`: the last one of the month; `5#3`, `FRI#3`: the third one. Empty when it is neither."""
    day, hash_sign, number = term.partition("#")
    if hash_sign:
        at = position + len(day) + 1
        if number not in ("1", "2", "3", "4", "5"):
            raise BadExpression("behind '#' stands which one of the month, 1 to 5", at, WEEKDAY.name)
        return f"{_value(WEEKDAY, day, position)}#{number}"
    if term.endswith("L") and len(term) > 1 and "-" not in term and "/" not in term:
        return f"{_value(WEEKDAY, term[:-1], position)}L"
    return ""


def _check_days(terms: list[list[str]], words: list[tuple[int, str]]) -> None:
    """The 30th of February never comes; with a weekday beside it, it does no harm."""
    days, months, weekdays = terms[2], terms[3], terms[4]
    if not all(day.isdigit() for day in days) or not weekdays[0].startswith("*"):
        return
    longest = max(LONGEST_MONTHS[month - 1] for month in _months(months))
    if min(map(int, days)) > longest:
        raise BadExpression(f"none of these months has a day {min(map(int, days))}", words[2][0], DAY.name)


def _months(terms: list[str]) -> set[int]:
    found: set[int] = set()
    for term in terms:
        span, _, step = term.partition("/")
        first, _, last = ("1-12" if span == "*" else span).partition("-")
        end = int(last or (12 if step else first))
        found.update(range(int(first), end + 1, int(step or 1)))
    return found
