"""The dialects: values in, values out. No I/O, no clock, no settings."""

from .base import Checked, Pace, Provider, PublicUrls
from .registry import PROVIDERS, provider

__all__ = ["PROVIDERS", "Checked", "Pace", "Provider", "PublicUrls", "provider"]
