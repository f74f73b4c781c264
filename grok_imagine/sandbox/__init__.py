"""The sandbox: an offline provider for fresh machines and for tests."""

from __future__ import annotations

from .server import Sandbox

__all__ = ["Sandbox"]
