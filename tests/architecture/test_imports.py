"""Nobody pays for what it doesn't use: what each service has in memory once it is imported.

(rich is not on the list: structlog imports it wherever it is installed, and the command line needs it.)
"""

import subprocess
import sys

import pytest

from slipway_testing.sources import SERVICES

HEAVY = {
    "boto3",
    "botocore",
    "kubernetes_asyncio",
    "aiokafka",
    "redis",
    "cyclopts",
    "yaml",
    "supervisor",
    "psutil",
    "asyncpg",
    "joserfc",
    "slipway_embedded",
    "slipway_testing",
    "slipway_cli",
    "pytest",
    "IPython",
    "numpy",
}
MAY = {
    "core": {"asyncpg", "joserfc", "redis"},
    "webhooks": {"asyncpg", "joserfc"},
    "websocket": {"redis", "joserfc"},
    "scheduler": {"asyncpg", "joserfc"},
    "shell": {"asyncpg", "joserfc"},
    "git": {"joserfc"},
    "engine": {"psutil"},
    "agent": {"psutil"},
}
PRINT = "import sys, slipway_{}.__main__; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_imports_only_what_it_uses(service: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PRINT.format(service)], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert set(ended.stdout.split()) & HEAVY <= MAY[service]
