"""The variables that a release went out with: written down encrypted, read when it is gone back to."""

from collections.abc import Iterable, Mapping

import msgspec

from slipway_core import rollbacks
from slipway_core.app import Core, Work
from slipway_core.planner import Kept, Request
from slipway_core.variables import Effective


async def keep(app: Core, work: Work, organization_id: str, step_id: str, variables: Iterable[Effective]) -> None:
    """Write down what a deploy step goes out with; its release takes it over when the step succeeds."""
    plain = msgspec.json.encode(rollbacks.kept_with_a_release(variables)).decode()
    key_id, ciphertext = await app.encrypt(work, organization_id, plain, f"deployment_steps/{step_id}")
    await work.steps.keep_snapshot(step_id, key_id, ciphertext)


async def read(app: Core, work: Work, release_ids: Iterable[str]) -> dict[str, list[Effective]]:
    """release id → what it ran with. One without was made before these were kept."""
    found = {}
    for one in await work.releases.snapshots(release_ids):
        place = (one.organization_id, one.snapshot_key_id)
        plain = await app.decrypt(work, *place, one.snapshot, f"deployment_steps/{one.step_id}")
        found[one.id] = msgspec.json.decode(plain, type=list[Effective])
    return found


async def kept(app: Core, work: Work, request: Request, now: Mapping[str, Mapping[str, str]]) -> dict[str, Kept]:
    """release id → what the planner must know of it, for releases that a request goes back to.

    `now`: service id → digests of its variables as they are written today.
    """
    wishes = {wish.release_id: wish for wish in request.wishes.values() if wish.release_id}
    if not wishes:
        return {}
    releases = await work.releases.many(wishes)
    then = await read(app, work, releases)
    found = {}
    for release in releases.values():
        today = now.get(release.service_id, {})
        secrets = [one.key for one in then.get(release.id, []) if one.is_secret]
        digests = rollbacks.digests(release.variables, today, secrets, wishes[release.id].old_secrets)
        # Without a record of then it runs with what is written today.
        found[release.id] = Kept(release.spec, release.artifact, digests if release.id in then else dict(today))
    return found
