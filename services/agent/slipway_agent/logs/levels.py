"""How serious a line is, guessed at the price of one regular expression over its beginning."""

import re

LOOKED_AT = 200
"""Characters: levels stand at the beginning of a line."""

# A key says it in any spelling (JSON, logfmt); a bare word counts only in capitals, or it would be prose.
_WORDS = r"trace|debug|info|notice|warn(?:ing)?|err(?:or)?|fatal|crit(?:ical)?|alert|emerg(?:ency)?|panic"
_KEYED = rf"(?i:\b(?:level|lvl|severity|log\.level)\"?\s*[=:]\s*\"?({_WORDS})\b)"
_BARE = rf"(?<![\w/.-])({_WORDS.upper()})(?![\w/.-])"
_LEVEL = re.compile(f"{_KEYED}|{_BARE}")

LEVELS = {
    "trace": "trace",
    "debug": "debug",
    "info": "info",
    "notice": "info",
    "warn": "warning",
    "warning": "warning",
    "err": "error",
    "error": "error",
    "fatal": "fatal",
    "crit": "fatal",
    "critical": "fatal",
    "alert": "fatal",
    "emerg": "fatal",
    "emergency": "fatal",
    "panic": "fatal",
}


def detect(text: str) -> str:
    """trace, debug, info, warning, error, fatal; empty when the line doesn't say."""
    found = _LEVEL.search(text, 0, LOOKED_AT)
    if found is None:
        return ""
    return LEVELS[(found[1] or found[2]).lower()]
