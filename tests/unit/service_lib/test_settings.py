"""Settings from the environment: read once, refused with a sentence that names what is wrong and tells no secret."""

from pathlib import Path

import msgspec
import pytest

from slipway_service import settings_from_environment
from slipway_service.settings import SettingsWrong


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    port: int = 1
    ratio: float = 0.5
    on: bool = False
    hosts: tuple[str, ...] = ("a",)
    maybe: str | None = None
    key_file: str = ""
    password: str = ""
    limits: list[int] | None = None


def read(**environment: str) -> Settings:
    return settings_from_environment(Settings, {f"SLIPWAY_{name.upper()}": text for name, text in environment.items()})


def test_every_type_is_read() -> None:
    got = read(name="x", port="80", ratio="1.5", on="true", hosts="a, b,", maybe="y", limits="1,2")
    assert (got.port, got.ratio, got.on, got.hosts, got.maybe, got.limits) == (80, 1.5, True, ("a", "b"), "y", [1, 2])


def test_defaults_stand_where_nothing_is_said() -> None:
    assert read(name="x") == Settings(name="x")
    assert read(name="x", port="") == Settings(name="x")


@pytest.mark.parametrize("environment", [{}, {"name": ""}])
def test_a_missing_one_is_named(environment: dict[str, str]) -> None:
    with pytest.raises(SettingsWrong, match="SLIPWAY_NAME is not set"):
        read(**environment)


def test_a_wrong_one_is_named_but_not_repeated() -> None:
    with pytest.raises(SettingsWrong, match="SLIPWAY_PORT") as refused:
        read(name="x", port="hunter2")
    assert "hunter2" not in refused.value.detail
    assert refused.value.__suppress_context__


def test_a_secret_may_come_from_a_mounted_file(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("hunter2\n")
    assert read(name="x", password_file=str(path)).password == "hunter2"
    with pytest.raises(SettingsWrong, match="SLIPWAY_PASSWORD_FILE"):
        read(name="x", password_file=str(tmp_path / "nothing"))


def test_a_field_that_is_a_file_keeps_its_path() -> None:
    assert read(name="x", key_file="/k").key_file == "/k"
