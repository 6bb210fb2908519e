"""Kinds of service as data: rules, names, and that the generated shapes hold what the reference says."""

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_core import service_rules as rules
from slipway_core.api import bodies
from slipway_core.built_ins import short
from slipway_core.handlers.projects import slug
from slipway_core.kinds import KINDS
from slipway_core.service_rules import Draft


@given(st.text(max_size=80))
def test_a_slug_is_always_a_host_label(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", slug(name))


@given(st.text(max_size=80), st.text(max_size=80))
def test_labels_to_try_are_all_valid(name: str, environment: str) -> None:
    from slipway_core.handlers.services import _labels

    for label in _labels(name, environment):
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", label)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_states_defaults_that_its_body_takes(kind: Any) -> None:
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind.create)}
    for name, value in kind.defaults.items():
        assert name in fields
        msgspec.convert(value, fields[name].type)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_an_answer_of_a_kind_can_be_sent_back(kind: Any) -> None:
    known = {field.encode_name for field in msgspec.structs.fields(kind.edit)} | kind.edit.__read_only__
    answered = {field.encode_name for field in msgspec.structs.fields(kind.answer)}
    assert answered <= known


def draft(**config: Any) -> Draft:
    return Draft(config=config, public_url="http://localhost:8080", project_slug="p", service_slug="s")


def test_ports_keep_their_ids_and_have_one_default() -> None:
    made = draft(
        ports=[{"internal_port": 80, "publicly_accessible": False}, {"internal_port": 81, "publicly_accessible": True}]
    )
    rules.ports(made)
    assert not made.errors
    assert [port["is_default"] for port in made.config["ports"]] == [False, True]
    again = draft(ports=[{"internal_port": 81, "publicly_accessible": True}])
    again.before = made.config
    rules.ports(again)
    assert again.config["ports"][0]["id"] == made.config["ports"][1]["id"]


def test_two_defaults_are_one_too_many() -> None:
    ports = [{"internal_port": n, "publicly_accessible": True, "is_default": True} for n in (80, 81)]
    made = draft(ports=ports)
    rules.ports(made)
    assert made.errors == [("$.ports", "at most one port can be the default")]


@pytest.mark.parametrize(
    ("schedule", "path"),
    [
        ({}, "$.schedule"),
        ({"on_start": {}, "cronjob": {"scheduled_at": "* * * * *"}}, "$.schedule"),
        ({"cronjob": {"scheduled_at": "61 * * * *"}}, "$.schedule.cronjob.scheduled_at"),
        ({"cronjob": {"scheduled_at": "0 0 * * *", "timezone": "Nowhere"}}, "$.schedule.cronjob.timezone"),
    ],
)
def test_schedules_of_jobs_are_one_thing_or_the_other(schedule: dict[str, Any], path: str) -> None:
    made = draft(schedule=schedule, source={"image": {"image_name": "a/b", "tag": "1", "registry_id": "r"}})
    rules.job(made)
    assert [error[0] for error in made.errors] == [path]


@pytest.mark.parametrize("name", ["nginx", "library/nginx", "a-b_c.d/e"])
def test_images_with_usual_names_are_fine(name: str) -> None:
    made = draft(image_name=name, tag="1.2-alpine", registry_id="r")
    rules.own_image(made)
    assert not made.errors


@pytest.mark.parametrize("name", ["", "-x", "a b", "A", "a;b", "a$(id)", "a/../b", "a\nb"])
def test_other_images_are_not(name: str) -> None:
    made = draft(image_name=name, tag="1")
    rules.own_image(made)
    assert made.errors


def test_ids_in_names_of_variables_are_the_random_end() -> None:
    assert short("01a20571-9755-72e2-bbb3-f0a59a2f3759") == "Z9A2F3759"


def test_bodies_take_no_nul_and_no_numbers_beyond_bounds() -> None:
    for wrong in ('{"key": "A", "value": "\\u0000"}', '{"key": "A", "description": "%s"}' % ("x" * 256)):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(wrong, type=bodies.EnvironmentVariableRequest)
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode('{"healthchecks": {}, "cpu": 99999999999}', type=bodies.ApplicationEditRequest)
