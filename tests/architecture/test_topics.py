"""Who publishes, who handles, and that nobody writes a subject by hand."""

import ast
import re
from collections.abc import Iterator

import pytest

from slipway_bus import Subscription
from slipway_testing.routes import subscriptions_of
from slipway_testing.sources import SERVICES, Module, modules
from slipway_testing.tables import TopicFact, topic_facts

FACTS = {fact.name: fact for fact in topic_facts()}
OTHER_SENDERS = {
    "LOGGED": {"engine"},  # the logs of builds and deployments; NATS allows each just its own kinds
    "REPORTED": {"agent"},  # the agent's hello
    "LOCATE": {"webhooks", "websocket", "scheduler", "shell", "git", "http"},  # asked by every edge, answered by core
}
KEPT_BY_THE_BUS = {"DIED"}  # published by libs/bus in the name of whoever gave up; read by the CLI
PATTERNS = {tuple(re.sub(r"\{\w+\}", "{}", fact.pattern).split(".")) for fact in FACTS.values()}
NO_SUBJECTS = {"slipway_contracts", "slipway_bus"}  # where subjects and permissions on them are declared


@pytest.mark.parametrize("fact", FACTS.values(), ids=FACTS)
def test_only_the_owner_sends(fact: TopicFact) -> None:
    senders = {path.split("/")[1] for path in fact.sent_in}
    assert senders <= {fact.owner} | OTHER_SENDERS.get(fact.name, set())


@pytest.mark.parametrize("fact", FACTS.values(), ids=FACTS)
def test_every_topic_is_used_by_somebody_else_than_its_sender(fact: TopicFact) -> None:
    if fact.name in KEPT_BY_THE_BUS:
        return
    assert fact.used_in or fact.sent_in, f"nobody uses {fact.name}"


@pytest.mark.parametrize("service", SERVICES)
def test_durable_names_are_the_services_own_and_unique(service: str) -> None:
    subscriptions: list[Subscription[object, object]] = subscriptions_of(service)  # type: ignore[type-var]
    names = [(subscription.topic.stream, subscription.durable) for subscription in subscriptions]
    assert len({(stream.name if stream else "", durable) for stream, durable in names}) == len(names)
    for subscription in subscriptions:
        assert subscription.topic.stream is not None, f"{subscription.durable}: only kept topics can be consumed"
        assert subscription.durable.startswith(service)
        assert subscription.topic.owner != service, f"{subscription.durable} consumes what {service} itself publishes"


def test_nobody_writes_a_subject_by_hand() -> None:
    found = [f"{module.shown}:{line}: {text}" for module in modules() for line, text in _subjects(module)]
    assert found == []


def _subjects(module: Module) -> Iterator[tuple[int, str]]:
    """Strings and f-strings that have the form of a subject: all its fixed words, and something for each id."""
    if module.package in NO_SUBJECTS:
        return
    for node in ast.walk(module.tree):
        text = _skeleton(node)
        tokens = text.removeprefix("live.").split(".") if text else []
        if any(_fits(tokens, pattern) for pattern in PATTERNS):
            yield getattr(node, "lineno", 0), text


def _skeleton(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.endswith((".*", ".>")):
        return node.value
    return ""


def _fits(tokens: list[str], pattern: tuple[str, ...]) -> bool:
    if tokens and tokens[-1] == ">":
        return tokens[0] == pattern[0]
    if len(tokens) != len(pattern):
        return False
    return all(word == "{}" or token == word for token, word in zip(tokens, pattern, strict=True))
