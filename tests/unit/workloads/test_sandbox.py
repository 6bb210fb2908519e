"""What is executed for a program, and what it is not told."""

import os
from pathlib import Path

import pytest

from slipway_workloads import Bind, Isolation, Sandbox
from slipway_workloads.sandbox import split_environment, uid_for

PRIVATE = {"/", "/home", "/root", "/etc", "/var", "/run", "/tmp", "/proc", "/sys", os.environ.get("HOME")}  # noqa: S108


def sandbox(isolation: Isolation, **fields: object) -> Sandbox:
    binds = [Bind(host="/home/release/source", inside="/app", writable=True), Bind(host="/x", inside="/layers/python")]
    return Sandbox(binds=binds, uid=600_000_001, cwd="/app", isolation=isolation, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "GCONV_PATH", "GLIBC_TUNABLES", "TMPDIR"]
)
def test_what_a_loader_obeys_is_set_only_inside(name: str) -> None:
    early, late = split_environment({name: "/app/x", "PATH": "/bin"})
    assert (early, late) == ({"PATH": "/bin"}, {name: "/app/x"})
    argv = sandbox(Isolation.USER).argv(["program"], late)
    assert argv[-3:] == ["/usr/bin/env", f"{name}=/app/x", "program"]
    assert argv.index(f"{name}=/app/x") > argv.index("--no-new-privs")


@pytest.mark.parametrize("isolation", [Isolation.USER, Isolation.NAMESPACE])
def test_every_kind_has_its_own_processes_and_dies_with_its_parent(isolation: Isolation) -> None:
    argv = sandbox(isolation).argv(["program", "--flag"])
    for option in ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--new-session"):
        assert option in argv
    assert argv[-2:] == ["program", "--flag"]
    assert "--new-session" not in sandbox(isolation, new_session=False).argv(["sh"])


def test_root_gives_its_rights_up_and_others_take_a_namespace() -> None:
    root, user = sandbox(Isolation.USER).argv(["x"]), sandbox(Isolation.NAMESPACE).argv(["x"])
    assert root[root.index("--reuid") + 1] == "600000001"
    assert root[root.index("--cap-drop") : root.index("--cap-drop") + 2] == ["--cap-drop", "ALL"]
    assert user[user.index("--uid") + 1] == "1000"
    assert "--reuid" not in user


def test_without_isolation_the_command_is_itself_and_paths_are_the_hosts() -> None:
    bare = sandbox(Isolation.NONE)
    assert bare.argv(["program"]) == ["program"]
    assert bare.inside("/home/release/source/a") == "/home/release/source/a"


def test_paths_are_told_as_the_program_sees_them() -> None:
    enclosed = sandbox(Isolation.USER)
    assert enclosed.inside(Path("/home/release/source/a/b")) == "/app/a/b"
    assert enclosed.inside("/x") == "/layers/python"
    assert enclosed.inside("/elsewhere") == "/elsewhere"


def test_only_what_is_bound_of_the_hosts_private_places_is_seen() -> None:
    argv = sandbox(Isolation.USER).argv(["x"])
    sources = {argv[at + 1] for at, word in enumerate(argv) if word in ("--bind", "--ro-bind")}
    assert not sources & PRIVATE
    assert "/etc/shadow" not in sources


def test_every_owner_has_a_user_of_its_own_far_from_the_machines() -> None:
    users = {uid_for(f"service-{number}") for number in range(500)}
    assert len(users) >= 499
    assert all(600_000_000 <= user < 700_000_000 for user in users)
