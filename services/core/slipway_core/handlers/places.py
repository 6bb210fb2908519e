"""Where things stand: for core's own routes, and for the edges, who ask over the bus."""

from slipway_contracts.places import Locate, Place
from slipway_core.app import Core
from slipway_core.stores.places import SERVICE_KINDS, STATEMENTS
from slipway_http.routing import UUID

NOWHERE = Place(found=False)


async def locate(app: Core, kind: str, id: str) -> Place | None:
    """The ancestors of a thing; None when there is none of this kind with this id."""
    if not UUID.fullmatch(id) or (kind not in STATEMENTS and kind not in SERVICE_KINDS):
        return None
    async with app.reading() as work:
        return await work.places.locate(kind, id)


async def answer(app: Core, message: Locate) -> Place:
    """Tell an edge."""
    return await locate(app, message.kind, message.id) or NOWHERE
