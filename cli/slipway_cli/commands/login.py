"""login, logout: which Slipway the other commands talk to."""

import asyncio
import getpass
import sys
from typing import Annotated

from cyclopts import Parameter

from slipway_cli import context
from slipway_cli.api import Client
from slipway_cli.output import say, show_json
from slipway_cli.problems import CommandFailed

NOT_THERE = 5
AsJSON = Annotated[bool, Parameter(name="--json")]


async def login(
    url: str = "",
    *,
    email: str = "",
    token_stdin: bool = False,
    device: bool = False,
    as_json: AsJSON = False,
) -> int:
    """Log in to a Slipway; later commands go there.

    Parameters
    ----------
    url
        Its address, such as https://slipway.example.org (default: the platform on this machine).
    email
        Log in with this e-mail; the password is asked for, or read from stdin when that is no terminal.
    token_stdin
        Log in with an API token read from stdin.
    device
        Log in in a browser, here or elsewhere (default where the platform has an identity provider).
    """
    address = url.rstrip("/") or context.current().url
    if not address.startswith(("http://", "https://")):
        raise CommandFailed(f"{address} is no address: it begins with https:// or http://.", "request.invalid", 7)
    if token_stdin:
        authorization = f"Token {_line()}"
    elif device or (not email and await _has_provider(address)):
        authorization = await _device(address)
    else:
        authorization = await _password(address, email)
    async with Client(context.Context(address, authorization)) as client:
        account = await client.get("/account")
    file = context.keep(address, authorization)
    if as_json:
        show_json({"url": address, "account": account, "context_file": str(file)})
    else:
        say(f"  logged in to {address} as {account.get('name') or account.get('email') or 'a token'}")
    return 0


async def logout(*, as_json: AsJSON = False) -> int:
    """Forget the login."""
    forgotten = context.forget()
    if as_json:
        show_json({"logged_out": forgotten})
    else:
        say("  logged out" if forgotten else "  nobody was logged in")
    return 0


async def _has_provider(address: str) -> bool:
    async with Client(context.Context(address, "")) as client:
        try:
            return bool((await client.get("/login/methods"))["oidc"])
        except CommandFailed as failed:
            if failed.exit_code == NOT_THERE:  # a release before there were providers
                return False
            raise


async def _device(address: str) -> str:
    """A login that is finished in a browser: say where, and ask until it is."""
    async with Client(context.Context(address, "")) as client:
        device = await client.post("/login/device")
        say(f"  open {device['verification_uri_complete']}\n  and confirm the code {device['user_code']}")
        pause, body = float(device["interval_seconds"]), {"device_code": device["device_code"]}
        try:
            async with asyncio.timeout(device["expires_in_seconds"]):
                while True:
                    await asyncio.sleep(pause)
                    answer = await client.post("/login/device/token", body)
                    if answer["status"] == "done":
                        return f"Bearer {answer['login']['token']}"
                    pause += answer["wait_longer_seconds"]
        except TimeoutError:
            raise CommandFailed("Nobody confirmed the code in time: log in again.", "auth.device_refused", 3) from None


async def _password(address: str, email: str) -> str:
    if not email:
        if not sys.stdin.isatty():
            raise CommandFailed("Say who logs in: --email, or --token-stdin with a token.", "usage", 2)
        email = await asyncio.to_thread(input, "E-mail: ")
    password = getpass.getpass("Password: ") if sys.stdin.isatty() else _line()
    async with Client(context.Context(address, "")) as client:
        answer = await client.post("/login", {"email": email, "password": password})
    return f"Bearer {answer['token']}"


def _line() -> str:
    return sys.stdin.readline().strip()
