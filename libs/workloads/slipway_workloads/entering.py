"""Enter user and mount namespaces of a program's own, then become the program: python -I -S entering.py <json> -- argv

Images bring users of their own (root, postgres, 1000): they are mapped to a range of ids that nothing else on this
machine has. What the program may see is mounted at paths that those ids can reach (`staged`); bubblewrap does the rest.

Programs of images often listen on a port that stands in the image. With `ports` a small parent stays, which the
kernel asks at each bind(): a port that is named there becomes the one that this release was given, on loopback. So two
releases run side by side in the machine's network, whatever port is written in them.

Invariant: nothing is executed before the ids are the mapped ones; what can't be done is said on stderr, with code 125.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import resource
import select
import signal
import socket
import struct
import subprocess
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NEW_USER, NEW_MOUNTS = 0x10000000, 0x00020000
BIND_RECURSIVE = 4096 | 16384
NO_SUID_NO_DEVICES = 2 | 4
DEATH_SIGNAL, NO_NEW_PRIVILEGES = 1, 38
STAGE = "/tmp"  # noqa: S108 a file system of its own is mounted there, in a mount namespace of its own
FAILED = 125

ARCHITECTURES = {"x86_64": (0xC000003E, 49, 317), "aarch64": (0xC00000B7, 200, 277)}
"""Machine → its name for seccomp, and the numbers of bind and seccomp."""
GET_DESCRIPTOR = 438
MODE_FILTER, NEW_LISTENER = 1, 8
ALLOW, ASK = 0x7FFF0000, 0x7FC00000
RECEIVE, SEND = 0xC0502100, 0xC0182101
QUESTION = struct.Struct("=QIIiIQ6Q")
ANSWER = struct.Struct("=QqiI")
LET_IT = 1
"""Flag of an answer: the call is done as if nobody had asked."""

libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: Any) -> int:
    result: int = getattr(libc, name)(*arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return result


# Namespaces


def enter(spec: dict[str, Any]) -> None:
    """Into the new namespaces, with the mapped ids and nothing but the staged mounts to gain from them."""
    unshared, mapped = os.pipe(), os.pipe()
    writer = os.fork()
    if not writer:
        os.close(unshared[1])
        os._exit(write_maps(spec, os.getppid(), unshared[0]))
    os.close(unshared[0])
    call("unshare", NEW_USER | NEW_MOUNTS)
    os.write(unshared[1], b"x")
    if os.waitpid(writer, 0)[1]:
        raise OSError(errno.EPERM, "the ids could not be mapped")
    for descriptor in (unshared[1], *mapped):
        os.close(descriptor)
    found = {name: os.open(host, os.O_PATH) for name, host in spec["staged"].items()}
    if spec["several"]:
        switch_user(0, 0, [])
    stage(found)


def switch_user(uid: int, gid: int, groups: list[int]) -> None:
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def write_maps(spec: dict[str, Any], pid: int, unshared: int) -> int:
    """From outside, where the right to do it is: as root by hand, else by newuidmap, or for the own id alone."""
    if not os.read(unshared, 1):
        return 1
    try:
        if spec["helpers"]:
            for name, program in (("uids", "newuidmap"), ("gids", "newgidmap")):
                numbers = [str(number) for line in spec[name] for number in line]
                subprocess.run([program, str(pid), *numbers], check=True, stdin=subprocess.DEVNULL)
            return 0
        if os.geteuid():
            write(f"/proc/{pid}/setgroups", "deny")
        for name, file in (("uids", "uid_map"), ("gids", "gid_map")):
            write(f"/proc/{pid}/{file}", "".join("{} {} {}\n".format(*line) for line in spec[name]))
    except (OSError, subprocess.CalledProcessError) as error:
        os.write(2, f"slipway: {error}\n".encode())
        return 1
    return 0


def write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def stage(found: dict[str, int]) -> None:
    """Mount open paths below STAGE: the folders above them may be closed to the ids that the program will have."""
    call("mount", b"stage", STAGE.encode(), b"tmpfs", NO_SUID_NO_DEVICES, b"mode=755")
    for name, descriptor in found.items():
        target = f"{STAGE}/{name}"
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            os.mkdir(target, 0o755)
        else:
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
        call("mount", f"/proc/self/fd/{descriptor}".encode(), target.encode(), None, BIND_RECURSIVE, None)
        os.close(descriptor)


def become(spec: dict[str, Any], argv: list[str]) -> None:
    """The program's user; then the program."""
    if spec["several"]:
        switch_user(spec["uid"], spec["gid"], spec["groups"])
    if spec["processes"]:
        resource.setrlimit(resource.RLIMIT_NPROC, (spec["processes"], spec["processes"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not spec["terminal"]:
        call("prctl", DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    os.execv(argv[0], argv)  # noqa: S606 a list, and no shell is wanted


# Ports


class Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint32))


class Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.POINTER(Instruction)))


def ask_at_bind() -> int:
    """From here on each bind() of this process and its children waits for an answer on the descriptor."""
    name, bind, seccomp = ARCHITECTURES[platform.machine()]
    load, equal, give = 0x20, 0x15, 0x06
    lines = [(load, 0, 0, 4), (equal, 0, 3, name), (load, 0, 0, 0), (equal, 0, 1, bind), (give, 0, 0, ASK)]
    lines.append((give, 0, 0, ALLOW))
    instructions = (Instruction * len(lines))(*(Instruction(*line) for line in lines))
    call("prctl", NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    program = Program(len(lines), instructions)
    return call("syscall", seccomp, MODE_FILTER, NEW_LISTENER, ctypes.byref(program))


def supervised(spec: dict[str, Any]) -> None:
    """Returns in the child, which is to become the program; the parent answers its questions until it has ended."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    parent, child = os.getpid(), os.fork()
    if child:
        theirs.close()
        os._exit(attend(child, ours, {int(port): to for port, to in spec["ports"].items()}))
    ours.close()
    call("prctl", DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(FAILED)
    spec["asked"] = theirs


def hand_over(theirs: socket.socket) -> None:
    """Have every bind() asked for, and give the parent the descriptor on which it is."""
    try:
        listener = ask_at_bind()
    except (OSError, KeyError) as error:
        os.write(2, f"slipway: this machine can't map ports ({error}): the program must listen on PORT\n".encode())
        return
    socket.send_fds(theirs, [b"x"], [listener])
    os.close(listener)
    theirs.close()


def attend(child: int, ours: socket.socket, ports: dict[int, int]) -> int:
    """The parent's life; the code with which the child ended."""
    wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    poll = select.poll()
    poll.register(wake_read, select.POLLIN)
    poll.register(ours, select.POLLIN)
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        for descriptor, events in poll.poll(2000):
            if descriptor == wake_read:
                os.read(wake_read, 512)
            elif descriptor == ours.fileno():
                poll.unregister(ours)
                for listener in socket.recv_fds(ours, 1, 1)[1]:
                    poll.register(listener, select.POLLIN)
            elif events & select.POLLIN:
                answer(descriptor, ports)
            else:
                poll.unregister(descriptor)


def answer(listener: int, ports: dict[int, int]) -> None:
    """One bind(): let it be done, or do it to another port in its place."""
    question = ctypes.create_string_buffer(QUESTION.size)
    if libc.ioctl(listener, ctypes.c_ulong(RECEIVE), question) < 0:
        return
    id, pid, _, _, _, _, descriptor, address, length, *_ = QUESTION.unpack(question.raw)
    error, flags = 0, LET_IT
    try:
        moved = target(pid, address, min(length, 128), ports)
        if moved is not None:
            flags = 0
            bind_there(pid, descriptor, moved)
    except OSError as problem:
        flags, error = (0, -(problem.errno or errno.EACCES)) if not flags else (LET_IT, 0)
    given = ctypes.create_string_buffer(ANSWER.pack(id, 0, error, flags), ANSWER.size)
    libc.ioctl(listener, ctypes.c_ulong(SEND), given)


def target(pid: int, address: int, length: int, ports: dict[int, int]) -> int | None:
    """To which port it goes instead; None when the port is none of ours."""
    memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        raw = os.pread(memory, length, address)
    finally:
        os.close(memory)
    if len(raw) < 4 or struct.unpack("=H", raw[:2])[0] not in (socket.AF_INET, socket.AF_INET6):
        return None
    return ports.get(struct.unpack("!H", raw[2:4])[0])


def bind_there(thread: int, descriptor: int, port: int) -> None:
    """Bind the program's socket to a port of loopback."""
    process = os.pidfd_open(leader(thread))
    try:
        copied = call("syscall", GET_DESCRIPTOR, process, ctypes.c_int(descriptor & 0x7FFFFFFF), 0)
    finally:
        os.close(process)
    with socket.socket(fileno=copied) as theirs:
        if theirs.family == socket.AF_INET:
            theirs.bind(("127.0.0.1", port))
        elif not theirs.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
            theirs.bind(("::ffff:127.0.0.1", port))
        else:
            bind_beside(theirs, port)


def bind_beside(theirs: socket.socket, port: int) -> None:
    """The second socket of a program that listens on both families; without IPv6 it gets some port of its own."""
    try:
        theirs.bind(("::1", port))
    except OSError as error:
        if error.errno != errno.EADDRNOTAVAIL:
            raise


def leader(thread: int) -> int:
    """The process to which a thread belongs."""
    with open(f"/proc/{thread}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Tgid:"))


def main() -> None:
    spec, argv = json.loads(sys.argv[1]), sys.argv[3:]
    try:
        if spec["ports"]:
            supervised(spec)
        enter(spec)
        if "asked" in spec:
            hand_over(spec["asked"])
        become(spec, argv)
    except OSError as error:
        os.write(2, f"slipway: the sandbox could not be made: {error}\n".encode())
    os._exit(FAILED)


if __name__ == "__main__":
    main()
