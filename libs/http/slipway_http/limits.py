"""Limits in this process: a token bucket per caller or address. Replicas count for themselves."""

import time
from dataclasses import dataclass

from slipway_errors import Busy


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much one caller may ask. Zero: no limit."""

    caller_per_second: float = 0
    caller_burst: int = 0
    address_per_second: float = 0
    """Requests of one address without a valid login (wrong tokens, log-in attempts)."""
    address_burst: int = 0


class TooManyRequests(Busy):
    """Too many requests."""

    code = "request.too_many"


class Buckets:
    """Token buckets by key. Full buckets are forgotten, so memory follows who is active."""

    def __init__(self, per_second: float, burst: int, kept: int = 50_000) -> None:
        self._rate = per_second
        self._burst = float(max(burst, 1))
        self._kept = kept
        self._levels: dict[str, tuple[float, float]] = {}

    def take(self, key: str, now: float | None = None) -> None:
        """Use one; TooManyRequests, with the time to wait, when there is none."""
        if self._rate <= 0:
            return
        now = time.monotonic() if now is None else now
        level, at = self._levels.get(key, (self._burst, now))
        level = min(self._burst, level + (now - at) * self._rate)
        if level < 1:
            raise TooManyRequests("You ask too often: wait a little.", retry_after_seconds=(1 - level) / self._rate)
        if len(self._levels) >= self._kept and key not in self._levels:
            self._forget(now)
        self._levels[key] = (level - 1, now)

    def _forget(self, now: float) -> None:
        self._levels = {
            key: (level, at)
            for key, (level, at) in self._levels.items()
            if level + (now - at) * self._rate < self._burst
        }
        if len(self._levels) >= self._kept:
            # Everybody is at a limit, which honest use never is: drop the oldest half.
            for key in list(self._levels)[: self._kept // 2]:
                del self._levels[key]
