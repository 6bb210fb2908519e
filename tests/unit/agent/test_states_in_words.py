"""From what the shims wrote to the reference's words."""

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from slipway_agent.services import Known
from slipway_agent.states import aggregate, process_state
from slipway_workloads import Layout, Release, ServiceMeta, Status


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([], "STOPPED"),
        (["RUNNING", "RUNNING"], "RUNNING"),
        (["STOPPED"], "STOPPED"),
        (["ERROR"], "ERROR"),
        (["RUNNING", "STARTING"], "STARTING"),
        (["RUNNING", "STOPPING"], "STOPPING"),
        (["RUNNING", "ERROR"], "WARNING"),
        (["STOPPED", "ERROR"], "WARNING"),
        (["RUNNING", "STOPPED"], "RUNNING"),
    ],
)
def test_one_word_for_many_processes(states: list[str], expected: str) -> None:
    assert aggregate(states) == expected


def known(tmp_path: Path, desired: str = "running") -> Known:
    meta = ServiceMeta(
        cluster_id="c",
        organization_id="o",
        project_id="p",
        environment_id="e",
        service_id="s",
        name="web",
        label="web",
        desired=desired,
    )
    return Known(Layout(tmp_path).service("s"), meta)


HERE = os.getpid()


@pytest.mark.parametrize(
    ("status", "release", "desired", "word", "reason"),
    [
        (None, "starting", "running", "STARTING", ""),
        (None, "running", "running", "STOPPED", "never started"),
        (Status(state="running", shim_pid=HERE), "running", "running", "RUNNING", ""),
        (Status(state="running", shim_pid=HERE), "starting", "running", "STARTING", ""),
        (Status(state="stopping", shim_pid=HERE), "running", "running", "STOPPING", ""),
        (
            Status(state="waiting", shim_pid=HERE, reason="it exited with code 3"),
            "running",
            "running",
            "ERROR",
            "code 3",
        ),
        (Status(state="exited", reason="it exited with code 0"), "running", "stopped", "STOPPED", ""),
        (Status(state="exited", reason="out of memory"), "running", "running", "ERROR", "out of memory"),
        (Status(state="running", shim_pid=2**22 + 1), "running", "running", "ERROR", "watches over it"),
    ],
)
def test_what_a_process_is(
    tmp_path: Path, status: Status | None, release: str, desired: str, word: str, reason: str
) -> None:
    about = Release(name="r", created_at=datetime.now(UTC), state=release)
    state = process_state(known(tmp_path, desired), about, status)
    assert state.state == word
    assert reason in state.reason
    assert bool(state.reason) == bool(reason)


@pytest.mark.parametrize(
    ("status", "release", "word", "reason"),
    [
        (Status(state="running", shim_pid=HERE), "running", "RUNNING", ""),
        (Status(state="waiting", shim_pid=HERE, reason="code 3"), "running", "ERROR", "code 3; it is started again"),
        (Status(state="exited", over=True, exit_code=0, reason="it completed"), "completed", "COMPLETED", ""),
        (Status(state="exited", over=True, exit_code=7, reason="code 7"), "failed", "ERROR", "code 7"),
        (Status(state="exited", over=True, exit_code=0, reason="it completed"), "failed", "ERROR", "it completed"),
    ],
)
def test_a_job_is_meant_to_end_and_to_end_well(
    tmp_path: Path, status: Status, release: str, word: str, reason: str
) -> None:
    service = known(tmp_path)
    job = Known(service.directory, msgspec.structs.replace(service.meta, kind="JOB"))
    state = process_state(job, Release(name="r", created_at=datetime.now(UTC), state=release), status)
    assert (state.state, state.reason) == (word, reason)
