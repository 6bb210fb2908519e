"""Where a thing stands: edges ask core, so that they can authorise by it. Live requests on the bus."""

from slipway_contracts.base import Message, Topic


class Locate(Message, frozen=True, kw_only=True):
    """`kind`: organization, project, environment, service, deployment, cluster."""

    kind: str
    id: str


class Place(Message, frozen=True, kw_only=True):
    """The ancestors of a thing; they never change, so they can be kept. Empty strings where there is none."""

    found: bool = True
    organization_id: str = ""
    project_id: str = ""
    environment_id: str = ""
    service_id: str = ""
    cluster_id: str = ""
    mode: str = ""
    """Environment mode: DEVELOPMENT, PREVIEW, STAGING, PRODUCTION."""
    name: str = ""


LOCATE = Topic("places.locate", Locate, owner="edges", stream=None)
