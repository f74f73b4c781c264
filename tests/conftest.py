"""What all tests stand on: signals that arrive."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Hear Ctrl-C. A shell that starts something in the background lets it ignore SIGINT, and so would every process
    that the tests start and interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
