"""The five dialects, one file each: what a provider accepts, refuses, charges and answers."""

from __future__ import annotations

from .aivideoapi import AiVideoApi
from .apiinone import ApiInOne
from .base import Dialect
from .openai_videos import OpenAIVideos
from .reapi import ReApi
from .xai import XAi

__all__ = ["DIALECTS", "Dialect"]

DIALECTS: tuple[Dialect, ...] = (ReApi(), AiVideoApi(), ApiInOne(), OpenAIVideos(), XAi())
