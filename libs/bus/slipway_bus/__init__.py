"""The bus: NATS and JetStream as Slipway uses them, and in no other way.

Nothing is published into a stream without a bounded window of acknowledgements, every wait has a limit, a lost
server is waited for, and a message that can't be handled ends in the stream DEAD after spaced attempts.
"""

from slipway_bus.connection import Bus, connect
from slipway_bus.consuming import Subscription, subject_ids
from slipway_bus.dead import dead_letters, replay
from slipway_bus.declaring import create_task_consumer, declare, delete_task_consumer
from slipway_bus.deliveries import Delivery
from slipway_bus.direct import Stored
from slipway_bus.listening import Listening
from slipway_bus.publishing import Outgoing
from slipway_bus.tables import LOADED, Table

__all__ = [
    "LOADED",
    "Bus",
    "Delivery",
    "Listening",
    "Outgoing",
    "Stored",
    "Subscription",
    "Table",
    "connect",
    "create_task_consumer",
    "dead_letters",
    "declare",
    "delete_task_consumer",
    "replay",
    "subject_ids",
]
