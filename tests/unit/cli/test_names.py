"""Which service a name means."""

import pytest

from slipway_cli.names import Service, _is_called

WEB = Service(
    id="0192f0c0-0000-7000-8000-000000000001",
    name="web",
    project="demo",
    environment="production",
    environment_id="e",
    organization_id="o",
)


@pytest.mark.parametrize("name", ["web", "demo/web", "demo/production/web", "/demo/production/web", WEB.id])
def test_a_service_is_called(name: str) -> None:
    assert _is_called(WEB, name)


@pytest.mark.parametrize("name", ["we", "production/web", "demo/staging/web", "", WEB.id[:-1] + "2"])
def test_it_is_not_called(name: str) -> None:
    assert not _is_called(WEB, name)
