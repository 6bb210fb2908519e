"""Run benchmarks and print what they measured: python -m bench [name …]"""

import argparse
import asyncio
import importlib

from bench.table import show

SHORT = ("up", "push", "idle")
NAMES = (*SHORT, "scheduler", "webhooks", "dispatch", "soak")


def main() -> None:
    parse = argparse.ArgumentParser(prog="slipway bench", description="Benchmarks, each beside a baseline.")
    parse.add_argument(
        "names", nargs="*", metavar="NAME", help=f"one or more of {', '.join(NAMES)} (default: the short)"
    )
    parse.add_argument("--seconds", type=float, default=3600, help="length of the soak")
    options = parse.parse_args()
    for name in options.names or SHORT:
        if name not in NAMES:
            parse.error(f"there is no benchmark {name!r}; there are {', '.join(NAMES)}")
        module = importlib.import_module(f"bench.{name}")
        show(name, asyncio.run(module.measure(options)))


if __name__ == "__main__":
    main()
