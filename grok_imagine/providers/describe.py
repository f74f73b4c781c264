"""A dialect's limits and prices as plain data, for those that cannot import it: the page, or a script by JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..models import Capability, Price
from .base import Provider


def describe(provider: Provider) -> dict[str, Any]:
    """All that can be known of a dialect before a request. Amounts are strings: JSON's numbers would be binary."""
    return {
        "label": provider.label,
        "pricing_url": provider.pricing_url,
        "tokens": sorted(mode.value for mode in provider.documents_tokens),
        "reasons": dict(provider.reasons),
        "capabilities": [_capability(one) for one in provider.capabilities],
    }


def _capability(one: Capability) -> dict[str, Any]:
    return {
        "model": one.model,
        "mode": one.mode.value,
        "aspect_ratios": one.aspect_ratios,
        "default_aspect_ratio": one.default_aspect_ratio,
        "ratio_follows_images": one.ratio_follows_images,
        "resolutions": one.resolutions,
        "default_resolution": one.default_resolution,
        "duration": one.duration and asdict(one.duration),
        "motion_modes": one.motion_modes,
        "min_images": one.min_images,
        "max_images": one.max_images,
        "takes_video": one.takes_video,
        "prompt_required": one.prompt_required,
        "prompt_limit": one.prompt_limit,
        "price": one.price and _price(one.price),
    }


def _price(price: Price) -> dict[str, Any]:
    return {
        "usd_per_credit": str(price.usd_per_credit),
        "per_second": {tier: str(rate) for tier, rate in price.per_second.items()},
        "per_clip": str(price.per_clip),
        "whole_credits": price.whole_credits,
    }
