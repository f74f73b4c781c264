"""The dialects: values in, values out. No I/O, no clock, no settings."""

from .base import CheckResult, PollSchedule, Provider, PublicUrls
from .registry import PROVIDERS, provider

__all__ = ["PROVIDERS", "CheckResult", "PollSchedule", "Provider", "PublicUrls", "provider"]
