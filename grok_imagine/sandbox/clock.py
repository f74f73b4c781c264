"""The sandbox's clock: wall time at its start plus what has passed, or a manual clock that only advances on demand."""

from __future__ import annotations

import time
from typing import Literal

ClockMode = Literal["wall", "manual"]


class Clock:
    """The source of every time that the sandbox reports, so that a test can advance it."""

    def __init__(self, mode: ClockMode = "wall", *, offset: float = 0.0, stopped_at: float | None = None) -> None:
        self.mode: ClockMode = mode
        self.offset = offset
        self._began = time.time() - time.monotonic()  # a system clock that is set back holds no task
        self._stopped_at = time.time() + offset if stopped_at is None else stopped_at

    def now(self) -> float:
        return self._stopped_at if self.mode == "manual" else self._began + time.monotonic() + self.offset

    def advance(self, seconds: float) -> float:
        """Advance the clock and return its new time. Raises ValueError for a negative number of seconds."""
        if not seconds >= 0:
            raise ValueError("the clock only advances; seconds must be 0 or more")
        self.offset += seconds
        self._stopped_at += seconds
        return self.now()
