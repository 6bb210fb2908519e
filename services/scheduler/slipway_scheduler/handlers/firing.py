"""Firing what is due: claimed by row, noted once, put into the outbox, all in one transaction.

Replicas need nothing of each other: each claims what the others haven't. Who fired also sends, at once; what it does
not live to send, the relay of any replica sends a little later, under the same id.
"""

import asyncio
from datetime import timedelta

import structlog

from slipway_errors import Fault
from slipway_scheduler.app import Scheduler, Work
from slipway_scheduler.handlers.sending import Sending
from slipway_scheduler.outcomes import LATE_AFTER, Decision, decide
from slipway_scheduler.problems import BadTimetable
from slipway_scheduler.schedules import Form, Schedule
from slipway_scheduler.stores.news import Told

BATCH = 250
LONGEST_SLEEP_SECONDS = 5.0
"""What another replica was told, and did not live to fire, is noticed so much later at most."""
SHORTEST_SLEEP_SECONDS = 0.02
"""What is due within this time fires together; and what another is firing is not asked for again at once."""
FORGET_EVERY = timedelta(hours=1)
log = structlog.get_logger()


async def fire_for_ever(app: Scheduler, stopping: asyncio.Event) -> None:
    """Fire what is due, sleep until something is, until `stopping`."""
    forget_at, sending = app.now(), Sending(app)
    while not stopping.is_set():
        app.changed.clear()
        seconds = 0.5
        try:
            if await fire_due(app, sending) == BATCH:
                await sending.room()
                continue
            if app.now() >= forget_at:
                await forget(app)
                forget_at = app.now() + FORGET_EVERY
            seconds = await _seconds_to_next(app)
        except Fault as fault:
            log.warning("firing waits", reason=fault.detail, code=fault.code)
        await _sleep(app, stopping, seconds)
    await sending.end()


async def fire_due(app: Scheduler, sending: Sending | None = None) -> int:
    """Fire one batch of what is due; how many schedules that were."""
    told: list[Told] = []
    async with app.work() as work:
        due = await work.schedules.claim_due(work.now, BATCH)
        if due:
            told = await _fire(work, due, sending.held_seconds if sending else 0)
    if sending and told:
        sending.start(told)
    return len(due)


async def _fire(work: Work, due: list[Schedule], held_seconds: float) -> list[Told]:
    hours = await _hours_beside(work, due)
    decisions = []
    for schedule in due:
        siblings = [one for one in hours if one.environment_id == schedule.environment_id] if hours else []
        try:
            decisions.append(decide(schedule, siblings, work.now))
        except BadTimetable as problem:
            # A time zone that was there once and is no more. The others go on.
            await _give_up(work, schedule, problem.detail)
    told = await record(work, decisions, held_seconds)
    await work.schedules.advance([one.schedule for one in decisions if one.schedule is not None])
    kept = {one.schedule.id for one in decisions if one.schedule is not None}
    done = {firing.schedule.id for one in decisions for firing in one.firings} - kept
    await work.schedules.delete(list(done))
    return told


async def _hours_beside(work: Work, due: list[Schedule]) -> list[Schedule]:
    """The starts and stops of environments whose start or stop comes late: another one may count instead."""
    latest = work.now - LATE_AFTER
    late = {one.environment_id for one in due if one.form == Form.TIMETABLE and one.next_at < latest}
    return await work.schedules.timetables_of(list(late))


async def _give_up(work: Work, schedule: Schedule, problem: str) -> None:
    log.error("schedule given up", schedule_id=schedule.id, reason=problem)
    definitions = work.timetables if schedule.form == Form.TIMETABLE else work.definitions
    await definitions.give_up(schedule.rule_id, problem)
    await work.schedules.replace(schedule.rule_id, [])


async def record(work: Work, decisions: list[Decision], held_seconds: float = 0) -> list[Told]:
    """Note what came of each nominal time, and tell of what fired; gives what is to be sent after the commit."""
    noted = await work.firings.add([firing for one in decisions for firing in one.firings], work.now, work.owner)
    told = await work.news.add([firing for firing in noted if firing.told], work.now, held_seconds)
    for firing in noted:
        if not firing.told:
            log.info("not fired", schedule_id=firing.schedule.id, outcome=firing.outcome, nominal_at=firing.nominal_at)
    return told


async def forget(app: Scheduler) -> None:
    """Remove firings that are older than they are kept, and definitions that are done since as long."""
    async with app.work() as work:
        before = work.now - timedelta(days=app.firings_kept_days)
        await work.firings.forget(before)
        await work.definitions.forget(before)


async def _seconds_to_next(app: Scheduler) -> float:
    async with app.reading() as work:
        next_at = await work.schedules.next_at()
    if next_at is None:
        return LONGEST_SLEEP_SECONDS
    seconds = (next_at - app.now()).total_seconds()
    return min(max(seconds, SHORTEST_SLEEP_SECONDS), LONGEST_SLEEP_SECONDS)


async def _sleep(app: Scheduler, stopping: asyncio.Event, seconds: float) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in (app.changed, stopping)]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
