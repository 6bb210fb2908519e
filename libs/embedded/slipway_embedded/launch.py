"""Start a program that ends with its parent, and not as root: python -I -S launch.py [options] -- program …

Stays on the standard library and replaces itself by the program, so signals and the process id are the program's.
`--die-with-parent N`: signal N arrives when the parent goes. `--environment FILE`: the whole environment, as JSON.
`--unprivileged`: PostgreSQL refuses uid 0, and initdb a uid without a name. A user namespace that shows our uid as
another one satisfies both without a change of owner anywhere, so data may lie below /root. Where namespaces are
forbidden, root gives the directory `--own` to an unprivileged uid, becomes that, and keeps the one right to pass
through closed directories, so that no mode above the directory has to change.
"""

import ctypes
import json
import os
import pwd
import sys

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522
SYS_CAPSET = {"x86_64": 126, "aarch64": 91}


def libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def named_uid() -> int:
    """A uid that isn't root's and has a name here: nobody, or the first one there is."""
    others = sorted(entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid)
    nobody = [entry.pw_uid for entry in pwd.getpwall() if entry.pw_name == "nobody" and entry.pw_uid]
    return (nobody or others or [65534])[0]


def write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def enter_user_namespace(uid: int) -> bool:
    """See ourselves as `uid` from here on; False where the system forbids it."""
    outside_uid, outside_gid = os.geteuid(), os.getegid()
    if libc().unshare(CLONE_NEWUSER):
        return False
    write("/proc/self/setgroups", "deny")
    write("/proc/self/uid_map", f"{uid} {outside_uid} 1")
    write("/proc/self/gid_map", f"{uid} {outside_gid} 1")
    return True


def give_up_root(uid: int, directory: str) -> None:
    """Become `uid` for good; `directory` is the only thing whose owner changes."""
    for path, folders, files in os.walk(directory):
        for name in [".", *folders, *files]:
            os.chown(os.path.join(path, name), uid, uid, follow_symlinks=False)
    libc().prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    keep_only(CAP_DAC_OVERRIDE)


def keep_only(capability: int) -> None:
    """Drop every capability but this one, which the program inherits. Without it the program has to do without."""
    head = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    mask = 1 << capability
    sets = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    if libc().syscall(SYS_CAPSET.get(os.uname().machine, 126), head, sets) == 0:
        libc().prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0)


def needs_other_uid() -> bool:
    try:
        return os.geteuid() == 0 or not pwd.getpwuid(os.geteuid())
    except KeyError:
        return True


def die_with_parent(parent: int, signal_number: int) -> None:
    """That signal when the parent goes, also when it went while we were starting."""
    libc().prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


def main(arguments: list[str]) -> None:
    parent = os.getppid()
    options, program = arguments[: arguments.index("--")], arguments[arguments.index("--") + 1 :]
    environment = dict(os.environ)
    if "--environment" in options:
        with open(options[options.index("--environment") + 1]) as file:
            environment = json.load(file)
    if "--unprivileged" in options and needs_other_uid():
        uid = named_uid()
        if not enter_user_namespace(uid) and os.geteuid() == 0:
            give_up_root(uid, options[options.index("--own") + 1])
    if "--die-with-parent" in options:
        die_with_parent(parent, int(options[options.index("--die-with-parent") + 1]))
    os.execve(program[0], program, environment)  # noqa: S606 - it takes this process's place


if __name__ == "__main__":
    main(sys.argv[1:])
