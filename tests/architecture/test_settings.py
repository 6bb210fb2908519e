"""Settings: one Struct per service, each field explained, no secret with a default, tables in step."""

import ast

import pytest

from slipway_testing.sources import ROOT, SERVICES, Module, modules
from slipway_testing.tables import outdated, settings_rows

SECRET = ("PASSWORD", "SECRET", "PRIVATE_KEY", "TOKEN")
ENVIRONMENT_READERS = {
    "slipway_service": "reads the settings of every service",
    "slipway_embedded": "starts servers with an environment of their own",
    "slipway_cli": "a command line",
    "slipway_testing": "starts platforms for tests",
}
PROGRAMS = {
    "services/engine/slipway_engine/settings.py": "passes proxies and package registries on to builds",
    "services/git/slipway_git/hook.py": "a hook, to which git speaks by its environment",
}


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_is_explained(service: str) -> None:
    rows = settings_rows(service)
    assert rows, f"services/{service}/slipway_{service}/settings.py has no Settings"
    assert [name for name, _, meaning in rows if not meaning] == []


@pytest.mark.parametrize("service", SERVICES)
def test_no_secret_has_a_default(service: str) -> None:
    secrets = [(name, default) for name, default, _ in settings_rows(service) if name.endswith(SECRET)]
    assert [name for name, default in secrets if default not in ("required", "empty")] == []


def test_tables_in_the_documentation_follow_the_code() -> None:
    late = [path.relative_to(ROOT).as_posix() for path in outdated()]
    assert late == [], "run: python -m slipway_testing.tables"


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_a_page(service: str) -> None:
    assert (ROOT / "services" / service / "README.md").exists()


def test_nobody_else_reads_the_environment() -> None:
    readers = {module.shown for module in modules() if module.package not in ENVIRONMENT_READERS and _reads(module)}
    assert readers - PROGRAMS.keys() == set()


def _reads(module: Module) -> bool:
    names = {ast.unparse(node) for node in ast.walk(module.tree) if isinstance(node, ast.Attribute)}
    return bool(names & {"os.environ", "os.getenv", "os.environb"})
