"""What all tests stand on: signals that arrive, and sandboxes that render plain clips into one folder."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile

import pytest

CLIPS, DRAFT = "GROK_IMAGINE_SANDBOX_CLIPS", "GROK_IMAGINE_SANDBOX_DRAFT"
_made: list[str] = []


def pytest_configure() -> None:
    """Hear Ctrl-C. A shell that starts something in the background lets it ignore SIGINT, and so would every process
    that the tests start and interrupt.

    Every sandbox of the run, in this process and in others, shares its clips, so that none is rendered twice.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.setdefault(DRAFT, "1")
    if CLIPS not in os.environ:
        os.environ[CLIPS] = tempfile.mkdtemp(prefix="grok-imagine-clips-")
        _made.append(os.environ[CLIPS])


def pytest_unconfigure() -> None:
    for folder in _made:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting and no key of the machine reaches the test; the sandboxes keep theirs."""
    for name in list(os.environ):
        outside = name.upper().startswith(("GROK_IMAGINE_", "AWS_")) or name.upper().endswith("_API_KEY")
        if outside and name not in (CLIPS, DRAFT):
            monkeypatch.delenv(name)
