"""Masking of secrets in text that people see: as they are, JSON-escaped, URL-encoded and in base64.

Values shorter than four characters are left alone: masking them would black out the text and tell the value.
"""

import base64
import json
import re
import urllib.parse
from collections.abc import Iterable, Iterator

MASK = "***"
LEAST_CHARACTERS = 4
LEAST_INNER_CHARACTERS = 8
"""Shorter stretches of base64 or of a line occur by chance."""


class Masker:
    """Replaces every form of the given secrets by `***`, the longest first, in one pass."""

    def __init__(self, values: Iterable[str]) -> None:
        forms = {form for value in values if len(value.strip()) >= LEAST_CHARACTERS for form in _forms(value)}
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def mask(self, text: str) -> str:
        """The text without the secrets."""
        return self._pattern.sub(MASK, text) if self._pattern else text


def _forms(value: str) -> Iterator[str]:
    for plain in {value, value.strip(), *_long_lines(value)}:
        yield plain
        yield json.dumps(plain)[1:-1]
        yield json.dumps(plain, ensure_ascii=False)[1:-1]
        for encoded in (urllib.parse.quote(plain, safe=""), urllib.parse.quote(plain), urllib.parse.quote_plus(plain)):
            yield encoded
            yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), encoded)
        yield from _base64_forms(plain.encode(errors="surrogatepass"))


def _long_lines(value: str) -> list[str]:
    """Logs come line by line, so a key of many lines is masked by its lines."""
    return [line for line in value.splitlines() if len(line) >= LEAST_INNER_CHARACTERS]


def _base64_forms(value: bytes) -> Iterator[str]:
    for encode in (base64.standard_b64encode, base64.urlsafe_b64encode):
        yield encode(value).decode().rstrip("=")
        # Inside a longer encoded text (`user:password`) the value starts at any of three offsets.
        for offset in range(3):
            inner = encode(b"\0" * offset + value).decode().rstrip("=")
            end = len(inner) - (1 if (offset + len(value)) % 3 else 0)
            stable = inner[(0, 2, 3)[offset] : end]
            if len(stable) >= LEAST_INNER_CHARACTERS:
                yield stable
