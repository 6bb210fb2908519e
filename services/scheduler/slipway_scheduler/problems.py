"""What can be wrong with a schedule."""

from slipway_errors import Invalid


class BadTimetable(Invalid):
    """This timetable can't be kept."""

    code = "schedule.bad_timetable"


class BadExpression(BadTimetable):
    """This is not a cron expression."""

    code = "schedule.bad_expression"

    def __init__(self, detail: str, position: int, field: str = "") -> None:
        """`position` counts characters of the expression from 0; `field` is minute, hour …, or empty."""
        where = f"character {position + 1}" + (f" ({field})" if field else "")
        super().__init__(
            f"{detail[0].upper()}{detail[1:]}: {where}.",
            errors=[{"path": "$.expression", "message": f"{where}: {detail}"}],
            position=position,
            field=field,
        )


class GoneSchedule(Invalid):
    """This schedule can't be put: what it belongs to is gone, or a newer version is known."""

    code = "schedule.outdated"
