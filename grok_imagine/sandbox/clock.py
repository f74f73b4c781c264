"""The sandbox's clock: it goes on from the wall time at its start, or stands still until it is wound."""

from __future__ import annotations

import time
from typing import Literal

ClockMode = Literal["wall", "manual"]


class Clock:
    """Every time the sandbox reports comes from here, so a test can wind a lifecycle forward."""

    def __init__(self, mode: ClockMode = "wall", *, offset: float = 0.0, stopped_at: float | None = None) -> None:
        self.mode: ClockMode = mode
        self.offset = offset
        self._began = time.time() - time.monotonic()  # a system clock that is set back holds no task
        self._stopped_at = time.time() + offset if stopped_at is None else stopped_at

    def now(self) -> float:
        return self._stopped_at if self.mode == "manual" else self._began + time.monotonic() + self.offset

    def advance(self, seconds: float) -> float:
        """Wind the clock on, and say what it shows. Time never runs backwards here."""
        if not seconds >= 0:
            raise ValueError("the clock only winds forward")
        self.offset += seconds
        self._stopped_at += seconds
        return self.now()
