"""GitHub: repository and application hooks, and its container registry."""

import msgspec

from slipway_contracts.git import IMAGE_PUSHED, ImagePush
from slipway_webhooks.providers.provider import (
    Accepted,
    Delivery,
    Ignored,
    Outcome,
    Part,
    Provider,
    id_in,
    ping,
    same_repository,
)
from slipway_webhooks.providers.pushes import pushed
from slipway_webhooks.providers.requests import Login, RequestRepository, commented, requested
from slipway_webhooks.signatures import header, signed

REGISTRY = "ghcr.io"


class Tag(Part, frozen=True):
    name: str = ""
    digest: str = ""


class Container(Part, frozen=True):
    tag: Tag | None = None


class PackageVersion(Part, frozen=True):
    version: str = ""
    name: str = ""
    container_metadata: Container | None = None


class Package(Part, frozen=True):
    name: str
    namespace: str = ""
    package_type: str = ""
    package_version: PackageVersion | None = None


class PackagePayload(Part, frozen=True):
    action: str
    package: Package | None = None
    registry_package: Package | None = None
    repository: RequestRepository | None = None
    sender: Login | None = None


_decoder = msgspec.json.Decoder(PackagePayload)


def packaged(delivery: Delivery) -> Outcome:
    """Something was published in GitHub's packages."""
    payload = _decoder.decode(delivery.body)
    link, package = delivery.link, payload.package or payload.registry_package
    if payload.repository is not None and (foreign := same_repository(link, payload.repository.full_name)):
        return foreign
    if package is None or package.package_type.lower() != "container":
        return Ignored("The package is not a container image.")
    if payload.action not in ("published", "updated"):
        return Ignored(f"Nothing follows from a package that was {payload.action[:64]}.")
    version = package.package_version or PackageVersion()
    tag = version.container_metadata.tag if version.container_metadata else None
    digests = (tag.digest if tag else "", version.version, version.name)
    message = ImagePush(
        link_id=link.id,
        delivery_id=delivery.id,
        provider=link.provider,
        organization_id=link.organization_id,
        image="/".join(part for part in (REGISTRY, _namespace(package), package.name) if part).lower(),
        tag=tag.name if tag else "",
        digest=next((digest for digest in digests if digest.startswith("sha256:")), ""),
        pusher=payload.sender.login if payload.sender else "",
        received_at=delivery.received_at,
    )
    return Accepted(IMAGE_PUSHED, message, message.image, message.tag, message.digest)


def _namespace(package: Package) -> str:
    """The owner: some of GitHub's payloads put the package's name behind it."""
    return package.namespace.removesuffix("/" + package.name)


PROVIDER = Provider(
    name="github",
    proof=signed("X-Hub-Signature-256", prefix="sha256="),
    delivery_id=id_in("X-GitHub-Delivery"),
    event=header("X-GitHub-Event"),
    events={
        "push": pushed,
        "pull_request": requested,
        "issue_comment": commented,
        "package": packaged,
        "registry_package": packaged,
        "ping": ping,
    },
)
