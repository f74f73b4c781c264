"""How a caller stops a decode or an encode."""

from __future__ import annotations

from collections.abc import Callable

ShouldStop = Callable[[], bool]


class DecodeStopped(Exception):
    """``should_stop`` returned True. Not an error."""


def check_stop(should_stop: ShouldStop | None) -> None:
    """Raise DecodeStopped if the caller asks to stop."""
    if should_stop is not None and should_stop():
        raise DecodeStopped
