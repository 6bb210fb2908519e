"""What one cluster, and one service, can't do to the others; and changing accounts while everything runs."""

import asyncio
import contextlib
import json
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from nats.aio.msg import Msg

from slipway_bus import Bus
from slipway_bus.accounts import AccountsFile
from slipway_contracts.base import uuid7
from slipway_contracts.events import CHANGED, Event
from slipway_contracts.git import GIT_PUSHED, Push
from slipway_contracts.live import LOGGED, MEASURED, STATED, LogBatch, LogLine, MetricSample, ServiceState
from slipway_contracts.shell import SHELL_OPEN, SHELL_OUTPUT, OpenShell, ShellOpened, ShellOutput
from slipway_contracts.specs import ServiceKind, ServiceSpec
from slipway_contracts.tasks import ORDERED, REPORTED, TASK, ClusterReport, Hello, Order, Task, TaskKind
from slipway_errors import Forbidden, Unavailable

Rig = Any
Until = Any
NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVENT = Event(id="e", organization_id="o", entity="service", verb="created", entity_id="s", version=1, at=NOW)
PUSH = Push(
    link_id="l",
    delivery_id="d",
    provider="github",
    organization_id="o",
    repository="a/b",
    clone_url="https://example.org/a/b",
    ref="refs/heads/main",
    before="0" * 40,
    after="1" * 40,
    received_at=NOW,
)
LINES = LogBatch(epoch="e", source="web", lines=[LogLine(sequence=1, time_ns=1, stream="stdout", text="hello")])


def task(cluster_id: str) -> Task:
    return Task(
        id=uuid7(),
        kind=TaskKind.BUILD,
        fence=1,
        organization_id="o",
        project_id="p",
        environment_id="e",
        service_id="s",
        cluster_id=cluster_id,
        deployment_id="d",
        step_id="st",
        service=ServiceSpec(id="s", kind=ServiceKind.APPLICATION, name="web", label="web"),
        deadline_at=NOW + timedelta(hours=1),
        created_at=NOW,
    )


def hello(cluster_id: str) -> ClusterReport:
    return ClusterReport(hello=Hello(cluster_id=cluster_id, sender="engine", instance_id="i", version="0.1.0", at=NOW))


async def last_sequence(core: Bus, stream: str) -> int:
    return int((await core.api(f"STREAM.INFO.{stream}"))["state"]["last_seq"])


async def pending(core: Bus, cluster_id: str) -> tuple[int, int]:
    """Messages of a cluster's task consumer: not yet delivered, delivered and not acknowledged."""
    info = await core.api(f"CONSUMER.INFO.TASKS.{cluster_id}")
    return info["num_pending"], info["num_ack_pending"]


async def test_an_engine_gets_its_tasks_reports_and_hears_orders(rig: Rig, until: Until) -> None:
    async with rig.connect_as("core") as core, rig.engine("one") as engine:
        orders: list[Order] = []
        await engine.subscribe(ORDERED, lambda message, subject, headers: orders.append(message), cluster_id="one")
        wanted = task("one")
        await core.publish(TASK, wanted, cluster_id="one")

        delivery = (await engine.pull("TASKS", "one", 4, 5.0))[0]
        await delivery.in_progress()
        assert delivery.decode(Task) == wanted
        await delivery.ack()
        assert await engine.publish(REPORTED, hello("one"), cluster_id="one") > 0
        assert await engine.publish(LOGGED, LINES, cluster_id="one", environment_id="e", service_id="s", kind="build")

        order = Order(task_id=wanted.id, at=NOW)
        await core.publish(ORDERED, order, cluster_id="one", task_id=wanted.id)
        kept = await engine.last(ORDERED, cluster_id="one", task_id=wanted.id)
        assert kept is not None
        assert kept.message == order
        await until(lambda: orders == [order])

        async def done() -> bool:
            return await pending(core, "one") == (0, 0)

        await until(done)


async def test_an_engine_waits_for_a_task_that_comes_later(rig: Rig) -> None:
    async with rig.connect_as("core") as core, rig.engine("one") as engine:
        pulling = asyncio.create_task(engine.pull("TASKS", "one", 1, 20.0))
        await asyncio.sleep(0.2)
        await core.publish(TASK, task("one"), cluster_id="one")
        [delivery] = await asyncio.wait_for(pulling, 3)
        await delivery.ack()
        assert await engine.pull("TASKS", "one", 1, 0.2) == []


async def test_an_agent_tells_of_its_cluster_and_opens_shells(rig: Rig, until: Until) -> None:
    async with rig.agent("one") as agent, rig.connect_as("shell") as shell:
        place = {"cluster_id": "one", "environment_id": "e", "service_id": "s"}
        assert await agent.publish(LOGGED, LINES, kind="run", **place)
        assert await agent.publish(MEASURED, MetricSample(at=NOW, processes=[]), **place)
        state = ServiceState(state="RUNNING", at=NOW, **place)
        assert await agent.publish(STATED, state, **place)

        async def opened(message: OpenShell, ids: dict[str, str]) -> ShellOpened:
            return ShellOpened(ok=True, process=message.service_id)

        await agent.serve(SHELL_OPEN, opened, cluster_id="one")
        shown: list[ShellOutput] = []
        await shell.subscribe(SHELL_OUTPUT, lambda message, subject, headers: shown.append(message), cluster_id="one")
        asked = OpenShell(session_id="x", organization_id="o", environment_id="e", service_id="web")
        assert (await shell.request(SHELL_OPEN, asked, ShellOpened, cluster_id="one")).process == "web"
        await agent.send(SHELL_OUTPUT, ShellOutput(offset=0, data=b"$ "), cluster_id="one", session_id="x")
        await until(lambda: shown)


async def test_a_shell_for_a_cluster_without_agent_is_unavailable_at_once(rig: Rig) -> None:
    async with rig.connect_as("shell") as shell:
        asked = OpenShell(session_id="x", organization_id="o", environment_id="e", service_id="web")
        with pytest.raises(Unavailable):
            async with asyncio.timeout(2):
                await shell.request(SHELL_OPEN, asked, ShellOpened, cluster_id="two")


async def test_one_cluster_can_neither_pull_nor_ack_anothers_tasks(rig: Rig) -> None:
    async with rig.connect_as("core") as core, rig.engine("one") as one, rig.engine("two") as two:
        await core.publish(TASK, task("two"), cluster_id="two")
        with pytest.raises(Forbidden):
            await one.pull("TASKS", "two", 1, 2.0)
        [delivery] = await two.pull("TASKS", "two", 1, 5.0)
        await one.client.publish(delivery._reply, b"+ACK")
        await one.client.flush()
        await core.client.flush()
        assert await pending(core, "two") == (0, 1)
        await delivery.ack()


@pytest.mark.parametrize(
    "action",
    [
        "CONSUMER.CREATE.TASKS.mine.tasks.two",
        "CONSUMER.DURABLE.CREATE.TASKS.mine",
        "CONSUMER.CREATE.TASKS",
        "CONSUMER.INFO.TASKS.two",
        "CONSUMER.DELETE.TASKS.two",
        "STREAM.INFO.TASKS",
        "STREAM.MSG.GET.TASKS",
        "STREAM.PURGE.TASKS",
        "DIRECT.GET.TASKS",
        "DIRECT.GET.KV_access",
        "DIRECT.GET.CONTROL.control.two.x",
        "DIRECT.GET.EVENTS",
        "INFO",
    ],
)
async def test_one_cluster_can_ask_nothing_else_of_jetstream(rig: Rig, action: str) -> None:
    async with rig.engine("one") as engine, rig.agent("one") as agent:
        for bus in (engine, agent):
            with pytest.raises((Forbidden, Unavailable)):
                await bus.api(action, {"seq": 1})


Attempt = Callable[[Bus], Any]
PLACE_TWO = {"cluster_id": "two", "environment_id": "e", "service_id": "s"}
FORBIDDEN_TO_CLUSTERS: dict[str, tuple[str, Attempt]] = {
    "events": ("EVENTS", lambda bus: bus.publish(CHANGED, EVENT, organization_id="o", entity="service", verb="x")),
    "pushes": ("GIT", lambda bus: bus.publish(GIT_PUSHED, PUSH, provider="github")),
    "tasks": ("TASKS", lambda bus: bus.publish(TASK, task("one"), cluster_id="one")),
    "tasks of another": ("TASKS", lambda bus: bus.publish(TASK, task("two"), cluster_id="two")),
    "reports of another": ("REPORTS", lambda bus: bus.publish(REPORTED, hello("two"), cluster_id="two")),
    "logs of another": ("LOGS", lambda bus: bus.publish(LOGGED, LINES, kind="run", **PLACE_TWO)),
    "build logs of another": ("LOGS", lambda bus: bus.publish(LOGGED, LINES, kind="build", **PLACE_TWO)),
    "states of another": (
        "STATES",
        lambda bus: bus.publish(STATED, ServiceState(state="ERROR", at=NOW, **PLACE_TWO), **PLACE_TWO),
    ),
    "metrics of another": (
        "METRICS",
        lambda bus: bus.publish(MEASURED, MetricSample(at=NOW, processes=[]), **PLACE_TWO),
    ),
    "orders": (
        "CONTROL",
        lambda bus: bus.publish(ORDERED, Order(task_id="t", at=NOW), cluster_id="one", task_id="t"),
    ),
    "access": ("KV_access", lambda bus: bus.publish_raw("$KV.access.token.mine", b"{}")),
}


@pytest.mark.parametrize("what", FORBIDDEN_TO_CLUSTERS)
async def test_one_cluster_can_publish_nothing_but_its_own(rig: Rig, what: str) -> None:
    stream, attempt = FORBIDDEN_TO_CLUSTERS[what]
    async with rig.connect_as("core") as core, rig.engine("one") as engine, rig.agent("one") as agent:
        before = await last_sequence(core, stream)
        for bus in (engine, agent):
            with pytest.raises((Forbidden, Unavailable)):
                await attempt(bus)
        assert await last_sequence(core, stream) == before


@pytest.mark.parametrize("reply", ["logs.two.e.s.run", "events.o.service.created", "tasks.two", "reports.two"])
async def test_a_chosen_reply_subject_brings_no_task_body_anywhere(rig: Rig, reply: str) -> None:
    async with rig.connect_as("core") as core, rig.engine("one") as engine:
        streams = ("LOGS", "EVENTS", "TASKS", "REPORTS")
        await core.publish(TASK, task("one"), cluster_id="one")
        before = [await last_sequence(core, stream) for stream in streams]
        heard: list[str] = []

        async def hear(message: Msg) -> None:
            heard.append(message.subject)

        listening = await core.listen("live.>", hear)
        await engine.client.publish("$JS.API.CONSUMER.MSG.NEXT.TASKS.one", b'{"batch":1}', reply=reply)
        await engine.client.flush()
        await core.client.flush()
        await asyncio.sleep(0.2)
        assert [await last_sequence(core, stream) for stream in streams] == before
        assert heard == []
        await listening.unsubscribe()
        for delivery in await engine.pull("TASKS", "one", 10, 0):
            await delivery.ack()


@pytest.mark.parametrize("reply", ["logs.two.e.s.run", "events.o.service.created", "reports.two", "tasks.two"])
async def test_a_chosen_reply_subject_brings_no_ack_anywhere(rig: Rig, reply: str) -> None:
    async with rig.connect_as("core") as core, rig.engine("one") as engine:
        await core.publish(TASK, task("one"), cluster_id="one")
        deliveries = await engine.pull("TASKS", "one", 10, 5.0)
        streams = ("LOGS", "EVENTS", "TASKS", "REPORTS")
        before = [await last_sequence(core, stream) for stream in streams]
        # The acknowledgement of a report, and of a task with the next one asked for in the same breath.
        await engine.client.publish("reports.one", b"{}", reply=reply)
        for delivery in deliveries:
            await engine.client.publish(delivery._reply, b'+NXT {"batch":1}', reply=reply)
        await engine.client.flush()
        await asyncio.sleep(0.2)
        after = [await last_sequence(core, stream) for stream in streams]
        assert after == [*before[:3], before[3] + 1]


async def test_one_cluster_hears_nothing_of_another(rig: Rig) -> None:
    async with rig.connect_as("core") as core, rig.engine("one") as engine, rig.agent("one") as agent:
        heard: list[str] = []

        async def hear(message: Msg) -> None:
            heard.append(message.subject)

        for bus in (engine, agent):
            for subject in ("control.two.>", "shell.two.>", "tasks.>", "reports.>", "logs.>", "live.>", ">", "$KV.>"):
                await bus.client.subscribe(subject, cb=hear)
            await bus.client.flush()
        await core.publish(ORDERED, Order(task_id="t", at=NOW), cluster_id="two", task_id="t")
        async with rig.agent("two") as other:
            await other.publish(LOGGED, LINES, kind="run", **PLACE_TWO)
        await core.client.flush()
        await asyncio.sleep(0.2)
        assert heard == []


async def test_an_agent_is_no_engine(rig: Rig) -> None:
    async with rig.agent("one") as agent:
        with pytest.raises(Forbidden):
            await agent.pull("TASKS", "one", 1, 2.0)
        with pytest.raises(Forbidden):
            await agent.publish(LOGGED, LINES, cluster_id="one", environment_id="e", service_id="s", kind="build")


async def test_a_wrong_password_is_refused_and_said_so(rig: Rig) -> None:
    with pytest.raises(Unavailable, match="Authorization"):
        async with rig.connect_as("core", "wrong"):
            pass


async def test_nobody_without_credentials_gets_in(rig: Rig) -> None:
    with pytest.raises(Unavailable):
        async with rig.connect_as("", ""):
            pass


FORBIDDEN_TO_SERVICES: dict[str, tuple[str, Attempt]] = {
    "events": ("webhooks", FORBIDDEN_TO_CLUSTERS["events"][1]),
    "tasks": ("scheduler", FORBIDDEN_TO_CLUSTERS["tasks"][1]),
    "pushes": ("git", FORBIDDEN_TO_CLUSTERS["pushes"][1]),
    "pushes of core": ("core", FORBIDDEN_TO_CLUSTERS["pushes"][1]),
    "reports": ("core", FORBIDDEN_TO_CLUSTERS["reports of another"][1]),
    "states": ("websocket", FORBIDDEN_TO_CLUSTERS["states of another"][1]),
    "orders": ("shell", FORBIDDEN_TO_CLUSTERS["orders"][1]),
    "access": ("websocket", FORBIDDEN_TO_CLUSTERS["access"][1]),
    "links": ("webhooks", lambda bus: bus.publish_raw("$KV.git-links.mine", b"{}")),
    "streams": ("scheduler", lambda bus: bus.api("STREAM.DELETE.EVENTS")),
    "tasks read": ("webhooks", lambda bus: bus.api("DIRECT.GET.TASKS", {"seq": 1})),
    "the system": ("core", lambda bus: bus.call("$SYS.REQ.SERVER.PING", b"", "ping")),
}


@pytest.mark.parametrize("what", FORBIDDEN_TO_SERVICES)
async def test_a_service_can_publish_nothing_but_its_own(rig: Rig, what: str) -> None:
    user, attempt = FORBIDDEN_TO_SERVICES[what]
    async with rig.connect_as(user) as bus:
        with pytest.raises(Forbidden):
            await attempt(bus)


async def test_the_accounts_file_is_for_its_owner_alone(rig: Rig) -> None:
    mode = stat.S_IMODE(os.stat(rig.accounts.path).st_mode)
    assert mode == 0o600


async def test_a_revoked_cluster_is_cut_at_once_and_nobody_else(rig: Rig, until: Until) -> None:
    await rig.add_cluster("three")
    async with rig.connect_as("core") as core, rig.engine("one") as one:
        credentials = rig.clusters["three"]
        async with rig.connect_as(credentials.engine_user, credentials.engine_password) as three:
            connections = (core.connections, one.connections)
            await rig.accounts.revoke("three")
            await until(lambda: not three.connected, 1)
            with pytest.raises((Unavailable, Forbidden)):
                await three.publish(REPORTED, hello("three"), cluster_id="three")
            assert (core.connections, one.connections) == connections
            assert await one.publish(REPORTED, hello("one"), cluster_id="one")
        with pytest.raises(Unavailable):
            async with rig.connect_as(credentials.engine_user, credentials.engine_password):
                pass


async def test_an_engine_comes_back_when_its_cluster_gets_its_old_account_again(rig: Rig, until: Until) -> None:
    """A restored accounts file: the engine was cut, keeps trying, and goes on."""
    await rig.add_cluster("four")
    text = rig.accounts.path.read_text()
    async with rig.engine("four") as four:
        await rig.accounts.revoke("four")
        await until(lambda: not four.connected, 5)
        rig.accounts.path.write_text(text)
        rig.server.reload()
        await four.wait_connected(10)
        rig.server.reload()

        async def published() -> int:
            with contextlib.suppress(Unavailable):
                return await four.publish(REPORTED, hello("four"), cluster_id="four")
            return 0

        await until(published)
    await rig.accounts.revoke("four")


async def test_accounts_changed_by_several_at_once_are_all_there(rig: Rig) -> None:
    ids = [f"many-{number}" for number in range(8)]
    files = [AccountsFile(rig.accounts.path, rig.server.pid_file) for _ in ids]
    async with rig.connect_as("core") as core:
        connections = core.connections
        async with asyncio.timeout(20):
            issued = await asyncio.gather(*(file.issue(id) for file, id in zip(files, ids, strict=True)))
            assert set(ids) <= set(rig.accounts.clusters())
            for credentials in issued:
                async with rig.connect_as(credentials.agent_user, credentials.agent_password):
                    pass
            for id in ids:
                await rig.accounts.revoke(id)
        assert core.connections == connections
    assert not set(ids) & set(rig.accounts.clusters())


async def test_an_engine_that_waits_gets_its_task_though_accounts_change_meanwhile(rig: Rig) -> None:
    async with rig.connect_as("core") as core, rig.engine("one") as engine:
        pulling = asyncio.create_task(engine.pull("TASKS", "one", 1, 20.0))
        await asyncio.sleep(0.2)
        await rig.accounts.issue("passing")
        await core.publish(TASK, task("one"), cluster_id="one")
        [delivery] = await asyncio.wait_for(pulling, 3)
        await rig.accounts.revoke("passing")
        await delivery.ack()
        assert await engine.publish(REPORTED, hello("one"), cluster_id="one")


async def test_a_new_cluster_can_do_everything_at_once(rig: Rig) -> None:
    await rig.add_cluster("five")
    async with rig.connect_as("core") as core, rig.connect_as("shell") as shell, rig.engine("five") as engine:
        assert await engine.publish(REPORTED, hello("five"), cluster_id="five")
        assert await engine.last(ORDERED, cluster_id="five", task_id="none") is None
        await core.publish(TASK, task("five"), cluster_id="five")
        assert len(await engine.pull("TASKS", "five", 1, 5)) == 1
        async with rig.agent("five") as agent:

            async def opened(message: OpenShell, ids: dict[str, str]) -> ShellOpened:
                return ShellOpened(ok=True)

            await agent.serve(SHELL_OPEN, opened, cluster_id="five")
            asked = OpenShell(session_id="x", organization_id="o", environment_id="e", service_id="web")
            assert (await shell.request(SHELL_OPEN, asked, ShellOpened, cluster_id="five")).ok
    await rig.accounts.revoke("five")


async def test_ensure_keeps_passwords_and_clusters(tmp_path: Path) -> None:
    accounts = AccountsFile(tmp_path / "accounts.conf")
    passwords = accounts.ensure()
    assert accounts.ensure() == passwords
    assert len(set(passwords.values())) == len(passwords)
    assert all(len(password) >= 32 for password in passwords.values())


async def test_a_server_that_is_down_is_said_so_and_the_change_is_kept(tmp_path: Path) -> None:
    accounts = AccountsFile(tmp_path / "accounts.conf", tmp_path / "nats.pid")
    accounts.ensure()
    with pytest.raises(Unavailable, match="no pid"):
        await accounts.issue("one")
    assert "one" in json.loads((tmp_path / "accounts.conf").read_text())["accounts"]["CLUSTER-one"]["users"][0]["user"]
