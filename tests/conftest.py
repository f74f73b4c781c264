"""What all tests stand on: signals that arrive, and no setting from outside."""

from __future__ import annotations

import os
import signal

_OF_THE_TESTS = {"GROK_IMAGINE_FRONTENDS", "GROK_IMAGINE_WRITE"}


def pytest_configure() -> None:
    """Prepare this process, and with it every process that the tests start."""
    _hear_ctrl_c()
    for name in set(os.environ) - _OF_THE_TESTS:
        if name.upper().startswith(("GROK_IMAGINE_", "AWS_")) or name.upper().endswith("_API_KEY"):
            del os.environ[name]


def _hear_ctrl_c() -> None:
    """A shell that starts something in the background lets it ignore SIGINT, and so would what the tests interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
