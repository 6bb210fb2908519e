"""Logs: one JSON object per line, ids bound to the context, no secrets."""

import json
import logging
import subprocess
import sys

import pytest

SAY = """
import asyncio, logging, structlog
from slipway_service import bind_log, setup_logs
setup_logs("core", "info")
log = structlog.get_logger()
with bind_log(request_id="r1", deployment_id="d1"):
    log.info("done", count=3, password="hunter2", api_token="t", token_id="shown", what={"a": 1})
log.debug("unseen")
log.info("after")
logging.getLogger("other").warning("from %s", "elsewhere")
try:
    raise ValueError("boom")
except ValueError:
    log.exception("failed")
log.info("object", it=object())
"""


@pytest.fixture(scope="module")
def lines() -> list[dict[str, object]]:
    ended = subprocess.run([sys.executable, "-c", SAY], capture_output=True, text=True, timeout=30, check=True)
    return [json.loads(line) for line in ended.stderr.splitlines()]


def test_every_line_is_json_with_its_context(lines: list[dict[str, object]]) -> None:
    assert [line["event"] for line in lines] == ["done", "after", "from elsewhere", "failed", "object"]
    assert lines[0]["request_id"] == "r1"
    assert lines[0]["deployment_id"] == "d1"
    assert lines[0]["service"] == "core"
    assert "request_id" not in lines[1]
    assert lines[2]["logger"] == "other"
    assert "ValueError: boom" in str(lines[3]["exception"])


def test_what_smells_of_a_secret_is_hidden(lines: list[dict[str, object]]) -> None:
    assert (lines[0]["password"], lines[0]["api_token"], lines[0]["token_id"]) == ("(hidden)", "(hidden)", "shown")


def test_logging_is_not_changed_here() -> None:
    assert not any(handler.formatter and "Processor" in repr(handler.formatter) for handler in logging.root.handlers)
