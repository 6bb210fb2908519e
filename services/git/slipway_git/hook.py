"""The one hook of the built-in remote (post-receive): tell the service, and show the pusher what it answers.

Run by git as `python -I -S hook.py`: standard library only. The push stands whatever happens here.
"""

import json
import os
import socket
import sys

SECONDS = 60.0


def main() -> None:
    sys.stdin.read()
    message = {
        "repository": os.path.basename(os.path.realpath(os.environ["GIT_DIR"])),
        "pusher": os.environ["SLIPWAY_PUSHER"],
        "push": os.environ.get("SLIPWAY_PUSH", ""),
    }
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(SECONDS)
            connection.connect(os.environ["SLIPWAY_HOOK_SOCKET"])
            connection.sendall(json.dumps(message).encode() + b"\n")
            with connection.makefile("r", encoding="utf-8", errors="replace") as answer:
                for line in answer:
                    sys.stdout.write(line)
                    sys.stdout.flush()
    except OSError:
        sys.stdout.write("The push is kept. Slipway goes on with it by itself.\n")


if __name__ == "__main__":
    main()
