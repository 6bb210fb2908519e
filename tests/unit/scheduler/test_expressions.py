"""Which expressions are read, in which spelling, and what is said of the others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_scheduler import expressions
from slipway_scheduler.problems import BadExpression


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("  0  2\t* * *  ", "0 2 * * *"),
        ("@daily", "0 0 * * *"),
        (" @Yearly ", "0 0 1 1 *"),
        ("0 0 * jan-mar,DEC mon", "0 0 * 1-3,12 1"),
        ("*/15 9-17 * * MON-FRI", "*/15 9-17 * * 1-5"),
        ("0 0 * * SAT-SUN", "0 0 * * 6-7"),
        ("0 0 * * 7-TUE", "0 0 * * 0-2"),
        ("0 0 ? * FRIL", "0 0 * * 5L"),
        ("0 0 * * fri#3", "0 0 * * 5#3"),
        ("0 0 L,15 * ?", "0 0 L,15 * *"),
        ("0 0 LW * *", "0 0 LW * *"),
        ("007 08 * * *", "7 8 * * *"),
        ("0 0 30 2 MON", "0 0 30 2 1"),
    ],
)
def test_the_spelling_becomes_one(text: str, spelling: str) -> None:
    assert expressions.parse(text).text == spelling
    assert expressions.parse(spelling).text == spelling


@pytest.mark.parametrize(
    ("text", "position", "field", "says"),
    [
        ("", 0, "minute", "missing"),
        ("0 2 * *", 7, "day of week", "missing"),
        ("0 0 2 * * *", 10, "", "6 fields"),
        ("60 * * * *", 0, "minute", "60 is not between 0 and 59"),
        ("0 24 * * *", 2, "hour", "24 is not between 0 and 23"),
        ("0 0 0 * *", 4, "day of month", "0 is not between 1 and 31"),
        ("0 0 1 13 *", 6, "month", "13 is not between 1 and 12 or JAN to DEC"),
        ("0 0 * * 8", 8, "day of week", "8 is not between 0 and 7"),
        ("0 0 * * MON-FUN", 12, "day of week", "'FUN' is not a number or SUN to SAT"),
        ("5,,6 * * * *", 2, "minute", "missing"),
        ("0-59,70 * * * *", 5, "minute", "70"),
        ("*/0 * * * *", 2, "minute", "step"),
        ("*/ * * * *", 2, "minute", "step"),
        ("*/90 * * * *", 2, "minute", "longer than the field"),
        ("0 22-6 * * *", 5, "hour", "write 22-23,0-6"),
        ("0 *-5 * * *", 3, "hour", "has no end"),
        ("? * * * *", 0, "minute", "for a day only"),
        ("0 0 15W * *", 6, "day of month", "not understood"),
        ("0 0 * * 5#6", 10, "day of week", "1 to 5"),
        ("0 0 * * #2", 8, "day of week", "'' is not a number"),
        ("0 0 31 4,6 *", 4, "day of month", "day 31"),
        ("0 0 30 2 *", 4, "day of month", "day 30"),
        ("@dialy", 0, "", "@daily"),
        ("@every 5m", 0, "", "is not one of"),
        ("0 0 * * *\n", 9, "", "can't stand"),
        ("0 ٣ * * *", 2, "", "can't stand"),
        ("0" * 300, 256, "", "onger than 256"),
    ],
)
def test_what_is_wrong_is_refused_with_its_position(text: str, position: int, field: str, says: str) -> None:
    with pytest.raises(BadExpression) as refused:
        expressions.parse(text)
    assert (refused.value.facts["position"], refused.value.facts["field"]) == (position, field)
    assert says in refused.value.detail
    assert f"character {position + 1}" in refused.value.detail


@given(st.text(alphabet="0123456789*/,-?#LWSUNMONJAN @\t", max_size=40) | st.text(max_size=40))
def test_any_text_is_read_or_refused_at_a_position_inside_it(text: str) -> None:
    spelling, position = read(text)
    assert 0 <= position <= len(text)
    assert spelling == "" or read(spelling) == (spelling, 0)


def read(text: str) -> tuple[str, int]:
    """The spelling, or the position of what is wrong."""
    try:
        return expressions.parse(text).text, 0
    except BadExpression as refused:
        return "", refused.facts["position"]
