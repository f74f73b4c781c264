"""Delays between tries: exponential backoff with jitter, and the Retry-After header."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

MAX_RETRY_AFTER = 300.0


@dataclass(frozen=True)
class Backoff:
    """Delays that double from ``first`` to ``longest`` seconds, minus up to half of each as random jitter.

    Without jitter, jobs that failed together would try again together.
    """

    first: float = 1.0
    longest: float = 30.0
    tries: int = 10

    def delay(self, failures: int, retry_after: float | None = None) -> float:
        """Seconds to wait after ``failures`` consecutive failures (1 or more); ``retry_after`` seconds if given."""
        if retry_after is not None:
            return min(retry_after, MAX_RETRY_AFTER) + random.uniform(0, 0.5)
        step = min(self.longest, self.first * 2 ** min(failures - 1, 30))
        return step * random.uniform(0.5, 1.0)


def retry_after(value: str | None, date: str | None = None) -> float | None:
    """A Retry-After header in seconds: a number, or an HTTP date (RFC 9110, 10.2.3). None if it is invalid.

    A date is compared with the answer's own ``date``, since this machine's clock may be wrong.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), 86400.0)
    try:
        return max(0.0, (_moment(text) - (_moment(date) if date else datetime.now(timezone.utc))).total_seconds())
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def _moment(text: str) -> datetime:
    moment = parsedate_to_datetime(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)
