"""One smart HTTP exchange, by git's own `http-backend` (a CGI program), both ways streamed."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from aiohttp import web

from slipway_git.commands import end, git_binary
from slipway_git.problems import GitFailed

CHUNK_BYTES = 64 * 1024
HEADER_BYTES = 16 * 1024
log = structlog.get_logger()


@dataclass(frozen=True)
class Limits:
    idle_seconds: float
    """Without a byte in either direction."""
    transfer_seconds: float
    """In all."""


async def exchange(
    request: web.BaseRequest,
    environment: Mapping[str, str],
    path_info: str,
    limits: Limits,
    begun: Callable[[bytes], None] = lambda _: None,
) -> web.StreamResponse:
    """Hand the request to git and its answer back; the process is ended when the client goes.

    `begun` is told how the body begins, before git is.
    """
    process = await asyncio.create_subprocess_exec(
        git_binary(),
        "http-backend",
        env=dict(environment) | _cgi(request, path_info),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stderr is not None
    feeding = asyncio.create_task(_feed(request, process, begun))
    complaints = asyncio.create_task(process.stderr.read(HEADER_BYTES))
    try:
        async with asyncio.timeout(limits.transfer_seconds):
            return await _answer(request, process, limits)
    except TimeoutError:
        raise GitFailed(f"The transfer stood still or took more than {limits.transfer_seconds:.0f} s.") from None
    finally:
        for task in (feeding, complaints):
            if not task.done():
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError, web.HTTPException):
                said = await task
                if said:
                    log.info("git said", text=said.decode(errors="replace")[:2000])
        end(process)
        await process.wait()


def _cgi(request: web.BaseRequest, path_info: str) -> dict[str, str]:
    """RFC 3875. No CONTENT_LENGTH: the body may have been unpacked on its way, git reads it to its end."""
    return {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REQUEST_METHOD": request.method,
        "PATH_INFO": path_info,
        "QUERY_STRING": request.query_string,
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", "")[:100],
        "REMOTE_ADDR": "127.0.0.1",
        "GIT_HTTP_EXPORT_ALL": "1",
    }


async def _feed(request: web.BaseRequest, process: asyncio.subprocess.Process, begun: Callable[[bytes], None]) -> None:
    assert process.stdin is not None
    first = True
    try:
        async for chunk in request.content.iter_chunked(CHUNK_BYTES):
            if first:
                begun(chunk)
                first = False
            process.stdin.write(chunk)
            await process.stdin.drain()
    finally:
        with contextlib.suppress(ConnectionError):
            process.stdin.close()


async def _answer(request: web.BaseRequest, process: asyncio.subprocess.Process, limits: Limits) -> web.StreamResponse:
    assert process.stdout is not None
    async with asyncio.timeout(limits.idle_seconds):
        head = await _head(process.stdout)
    headers = dict(line.split(": ", 1) for line in head.decode("latin-1").splitlines() if ": " in line)
    status = int(headers.pop("Status", "200").split(" ")[0])
    response = web.StreamResponse(status=status, headers=headers)
    await response.prepare(request)
    while True:
        async with asyncio.timeout(limits.idle_seconds):
            chunk = await process.stdout.read(CHUNK_BYTES)
            if not chunk:
                break
            await response.write(chunk)
    await response.write_eof()
    return response


async def _head(stdout: asyncio.StreamReader) -> bytes:
    try:
        return await stdout.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        raise GitFailed("git did not answer.") from None
