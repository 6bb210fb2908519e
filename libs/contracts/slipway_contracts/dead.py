"""What was given up."""

from datetime import datetime

from slipway_contracts.base import Message, Topic
from slipway_contracts.streams import DEAD


class DeadLetter(Message, frozen=True, kw_only=True):
    """A message that could not be handled, with the reason; `slipway dead replay` sends it again."""

    stream: str
    consumer: str
    subject: str
    sequence: int
    headers: dict[str, str] = {}
    data: bytes
    reason: str
    code: str
    deliveries: int
    at: datetime


DIED = Topic("dead.{stream}.{consumer}", DeadLetter, owner="bus", stream=DEAD)
