"""The list of providers, one line each. A dialect's name is journaled: never rename one."""

from __future__ import annotations

from .aivideoapi import AiVideoApi
from .apiinone import ApiInOne
from .base import Provider
from .openai_videos import OpenAIVideos
from .reapi import ReApi
from .xai import XAi

PROVIDERS: dict[str, Provider] = {
    provider.name: provider
    for provider in (
        ReApi(),
        AiVideoApi(),
        ApiInOne(),
        OpenAIVideos(),
        XAi(),
    )
}


def provider(name: str) -> Provider:
    """The provider of that name. Raises KeyError for one that is not in the list."""
    return PROVIDERS[name]
