"""Dependencies: installed once, used again, never seen by another organization; from registries of the test's own."""

import asyncio
import base64
import hashlib
import io
import json
import tarfile
import time
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from slipway_contracts.base import uuid7
from slipway_contracts.tasks import TaskKind, TaskState
from slipway_testing.sources import ROOT

WEB = """
import os, http.server, greeting
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(greeting.TEXT.encode())
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
"""
NODE = """
const http = require('http'), greeting = require('greeting')
http.createServer((q, a) => a.end(greeting.text + ' ' + process.env.NODE_ENV)).listen(process.env.PORT, '127.0.0.1')
"""


def wheel(folder: Path, version: str, text: str) -> None:
    """A wheel `greeting` with one module."""
    folder.mkdir(exist_ok=True)
    info = f"greeting-{version}.dist-info"
    with zipfile.ZipFile(folder / f"greeting-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr("greeting.py", f"TEXT = {text!r}\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: greeting\nVersion: {version}\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture
async def python_machine(machine, tmp_path: Path):
    """A machine whose pip knows only the wheels of the test."""
    wheel(tmp_path / "wheels", "1.0", "hello from a wheel")
    await machine.stop_engines()
    machine.registry = {"PIP_FIND_LINKS": str(tmp_path / "wheels"), "PIP_NO_INDEX": "1"}
    await machine.start_engine()
    return machine


async def test_requirements_are_installed_and_used_again_for_the_next_commit(python_machine, repository) -> None:
    machine = python_machine
    files = {"requirements.txt": "greeting==1.0\n", "app.py": WEB}
    service = machine.service(repository, repository.commit(files))
    assert (await machine.ship(service)).state is TaskState.SUCCEEDED
    assert await machine.page(service) == (200, "hello from a wheel")
    installs = machine.logs.count("Installing dependencies with pip")
    began = time.monotonic()
    newer = machine.service(repository, repository.commit({**files, "app.py": WEB + "\n# newer"}), id=service.id)
    assert (await machine.ship(newer)).state is TaskState.SUCCEEDED
    assert time.monotonic() - began < 6
    assert installs == machine.logs.count("Installing dependencies with pip") == 1


async def test_a_pip_that_comes_as_a_wheel_serves_as_well(python_machine, repository) -> None:
    machine = python_machine
    (pip,) = (ROOT / "bootstrap").glob("pip-*.whl")
    await machine.stop_engines()
    await machine.start_engine(pip_wheel=pip)
    service = machine.service(repository, repository.commit({"requirements.txt": "greeting==1.0\n", "app.py": WEB}))
    assert (await machine.ship(service)).state is TaskState.SUCCEEDED
    assert await machine.page(service) == (200, "hello from a wheel")


async def test_another_organization_gets_layers_of_its_own(python_machine, repository) -> None:
    machine = python_machine
    files = {"requirements.txt": "greeting==1.0\n", "app.py": WEB}
    service = machine.service(repository, repository.commit(files))
    one = await machine.run(TaskKind.BUILD, service)
    machine.organization_id = uuid7()
    two = await machine.run(TaskKind.BUILD, machine.service(repository, service.git.commit))
    assert one.artifact != two.artifact
    assert len([path for path in machine.layout.layers_dir.iterdir() if path.is_dir()]) == 2


async def test_dependencies_of_a_pyproject_are_installed(python_machine, repository) -> None:
    machine = python_machine
    project = '[project]\nname = "x"\nversion = "1"\ndependencies = ["greeting>=1"]\n'
    service = machine.service(repository, repository.commit({"pyproject.toml": project, "main.py": WEB}))
    assert (await machine.ship(service)).state is TaskState.SUCCEEDED
    assert await machine.page(service) == (200, "hello from a wheel")


async def test_a_requirement_that_is_not_there_is_named(python_machine, repository) -> None:
    machine = python_machine
    report = await machine.ship(
        machine.service(repository, repository.commit({"requirements.txt": "no-such-thing==9\n", "app.py": WEB}))
    )
    assert report.code == "build.failed"
    assert "no-such-thing==9" in report.details


async def test_a_half_installed_layer_of_a_killed_engine_is_made_anew(python_machine, repository) -> None:
    machine = python_machine
    slow = {"requirements.txt": "greeting==1.0\n", "app.py": WEB}
    service = machine.service(repository, repository.commit(slow))
    first = await machine.run(TaskKind.BUILD, service)
    assert first.state is TaskState.SUCCEEDED
    (organization,) = [path for path in machine.layout.layers_dir.iterdir() if path.is_dir()]
    (layer,) = [path for path in organization.iterdir() if path.is_dir()]
    (layer / ".complete").unlink()
    for module in layer.rglob("greeting.py"):
        module.unlink()
    (machine.layout.artifacts_dir / first.artifact / "artifact.json").unlink()
    assert (await machine.ship(service)).state is TaskState.SUCCEEDED
    assert await machine.page(service) == (200, "hello from a wheel")


def tarball(text: str) -> bytes:
    buffer = io.BytesIO()
    contents = {
        "package/package.json": json.dumps({"name": "greeting", "version": "1.0.0", "main": "index.js"}),
        "package/index.js": f"exports.text = {json.dumps(text)}\n",
    }
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content.encode()))
    return buffer.getvalue()


PACKAGE = tarball("hello from npm")
INTEGRITY = "sha512-" + base64.b64encode(hashlib.sha512(PACKAGE).digest()).decode()
OK = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nConnection: close\r\n"


@pytest.fixture
async def npm_registry() -> AsyncIterator[str]:
    """A registry with one package."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        body = PACKAGE if b".tgz" in head.split(b" ")[1] else json.dumps(described()).encode()
        writer.write(f"{OK}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    def described() -> dict[str, object]:
        dist = {"tarball": f"{url}greeting/-/greeting-1.0.0.tgz", "integrity": INTEGRITY}
        version = {"name": "greeting", "version": "1.0.0", "main": "index.js", "dist": dist}
        return {"name": "greeting", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    yield url
    server.close()
    await server.wait_closed()


@pytest.fixture
async def node_machine(machine, npm_registry: str):
    await machine.stop_engines()
    machine.registry = {"npm_config_registry": npm_registry}
    await machine.start_engine()
    return machine


def lock(registry: str) -> str:
    tarball = f"{registry}greeting/-/greeting-1.0.0.tgz"
    locked = {"version": "1.0.0", "resolved": tarball, "integrity": INTEGRITY}
    root = {"name": "x", "version": "1.0.0", "dependencies": {"greeting": "1.0.0"}}
    packages = {"": root, "node_modules/greeting": locked}
    return json.dumps({"name": "x", "version": "1.0.0", "lockfileVersion": 3, "requires": True, "packages": packages})


async def test_npm_installs_what_the_lock_says(node_machine, repository, npm_registry: str) -> None:
    machine = node_machine
    scripts = {"start": "node server.js"}
    package = {"name": "x", "version": "1.0.0", "dependencies": {"greeting": "1.0.0"}, "scripts": scripts}
    files = {"package.json": json.dumps(package), "package-lock.json": lock(npm_registry), "server.js": NODE}
    service = machine.service(repository, repository.commit(files))
    report = await machine.ship(service)
    assert report.state is TaskState.SUCCEEDED, report
    assert await machine.page(service) == (200, "hello from npm production")


async def test_a_build_script_may_write_to_its_modules_and_its_folder_is_served(node_machine, repository) -> None:
    machine = node_machine
    build = "node -e \"const fs=require('fs');fs.mkdirSync('dist');fs.mkdirSync('node_modules/.cache');" + (
        "fs.writeFileSync('dist/index.html', require('greeting').text + process.env.NAME)\""
    )
    package = {"name": "x", "version": "1.0.0", "devDependencies": {"greeting": "1.0.0"}, "scripts": {"build": build}}
    service = machine.service(repository, repository.commit({"package.json": json.dumps(package)}))
    report = await machine.ship(service, {"NAME": " and a build"})
    assert report.state is TaskState.SUCCEEDED, report
    assert await machine.page(service) == (200, "hello from npm and a build")
    again = await machine.ship(service, {"NAME": " and another"})
    assert again.state is TaskState.SUCCEEDED
    assert await machine.page(service) == (200, "hello from npm and another")
