"""Logs: one JSON object per line on stderr, with a static event name and what is bound to the context.

Ids, not objects; names that smell of secrets lose their values whoever logs them.
"""

import logging
import sys
from collections.abc import MutableMapping
from contextlib import AbstractContextManager
from typing import Any

import msgspec
import structlog

SECRET_WORDS = ("password", "secret", "token", "authorization", "cookie", "private_key", "credential")
HARMLESS = frozenset({"token_id", "secret_count"})


def setup_logs(service: str, level: str = "info") -> None:
    """Send structlog's and the standard library's records to stderr as JSON lines."""
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    structlog.configure(
        processors=[*_shared(service), structlog.processors.format_exc_info, render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.WARNING) if number > logging.DEBUG else number)


def bind_log(**fields: Any) -> AbstractContextManager[None]:
    """Bind fields (request_id, deployment_id …) to every log line of this context, while it lasts."""
    return structlog.contextvars.bound_contextvars(**fields)


def _shared(service: str) -> list[Any]:
    def name(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name,
        hide_secrets,
    ]


def _formatter(service: str) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_logger_name, *_shared(service)],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            lambda logger, method, event: render(logger, method, event).decode(),
        ],
    )


def hide_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key in event:
        lowered = key.lower()
        if lowered not in HARMLESS and any(word in lowered for word in SECRET_WORDS):
            event[key] = "(hidden)"
    return event


def render(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> bytes:
    return msgspec.json.encode(event, enc_hook=repr)
