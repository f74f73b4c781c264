"""Estimates before the money moves, and the pace of asking afterwards."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from grok_imagine.models import VideoRequest
from grok_imagine.providers import PROVIDERS, PollSchedule, PublicUrls, provider
from grok_imagine.sandbox.dialects.xai import XAi

IMAGE = ("https://a.example.com/1.png",)
PRICES: list[tuple[str, dict[str, Any], str, str]] = [
    ("reapi", {"duration_seconds": 6}, "54", "0.054"),
    ("reapi", {"duration_seconds": 6, "resolution": "720p"}, "54", "0.054"),
    ("reapi", {"duration_seconds": 30}, "270", "0.27"),
    ("reapi", {"duration_seconds": 30, "reference_images": IMAGE}, "270", "0.27"),
    ("reapi", {}, "54", "0.054"),
    ("aivideoapi", {"duration_seconds": 6, "resolution": "480p"}, "15", "0.075"),  # 14.4, rounded up
    ("aivideoapi", {}, "15", "0.075"),
    ("aivideoapi", {"duration_seconds": 10, "resolution": "480p"}, "24", "0.12"),
    ("aivideoapi", {"duration_seconds": 7, "resolution": "720p"}, "32", "0.16"),  # 31.5, rounded up
    ("aivideoapi", {"duration_seconds": 10, "resolution": "720p"}, "45", "0.225"),
    ("aivideoapi", {"duration_seconds": 10, "resolution": "720p", "reference_images": IMAGE}, "45", "0.225"),
    ("apiinone", {}, "24", "0.24"),
    ("apiinone", {"reference_images": IMAGE}, "24", "0.24"),
]


@pytest.mark.parametrize(("name", "wish", "credits", "usd"), PRICES)
def test_estimates(name: str, wish: dict[str, Any], credits: str, usd: str) -> None:
    request = VideoRequest(prompt="x", **wish)
    dialect = provider(name)
    cost = dialect.estimate(request, dialect.capability(request))
    assert cost is not None
    assert (cost.credits, cost.usd, cost.is_estimate) == (Decimal(credits), Decimal(usd), True)
    assert str(cost).startswith("about ")


DOLLARS: list[tuple[str, dict[str, Any], str]] = [
    ("xai", {"duration_seconds": 6}, "0.30"),
    ("xai", {}, "0.40"),
    ("xai", {"duration_seconds": 6, "resolution": "720p", "reference_images": IMAGE * 2}, "0.424"),
    ("xai", {"model": "grok-imagine-video-1.5", "duration_seconds": 6, "resolution": "1080p"}, "1.50"),
    ("xai", {"model": "grok-imagine-video-1.5", "duration_seconds": 5, "reference_images": IMAGE}, "0.41"),
    ("xai", {"model": "grok-imagine-video-1.5-lite", "duration_seconds": 10, "resolution": "720p"}, "0.30"),
    ("fal", {"duration_seconds": 6}, "0.42"),
    ("fal", {"duration_seconds": 6, "resolution": "480p", "reference_images": IMAGE}, "0.302"),
]


@pytest.mark.parametrize(("name", "wish", "usd"), DOLLARS)
def test_prices_in_dollars_have_no_credits_and_are_not_rounded(name: str, wish: dict[str, Any], usd: str) -> None:
    request = VideoRequest(prompt="x", **wish)
    dialect = provider(name)
    cost = dialect.estimate(request, dialect.capability(request))
    assert cost is not None
    assert (cost.credits, cost.usd) == (None, Decimal(usd))
    assert dialect.definition.prices_seen is not None


def test_a_thousand_bills_of_xai_are_what_was_estimated() -> None:
    dice, dialect, bills = random.Random(3), provider("xai"), XAi()
    offered = [one for one in dialect.capabilities if one.price]
    for _ in range(1000):
        capability = dice.choice(offered)
        images = tuple(IMAGE[0] for _ in range(dice.randint(capability.min_images, capability.max_images)))
        assert capability.duration is not None
        request = VideoRequest(
            mode=capability.mode,
            model=capability.model,
            prompt="x",
            resolution=dice.choice([None, *capability.resolutions]),
            duration_seconds=dice.choice([None, *range(capability.duration.shortest, capability.duration.longest + 1)]),
            reference_images=images,
        )
        estimate = dialect.estimate(request, dialect.check(request).capability)
        body = dialect.submit(request, PublicUrls(images)).body
        assert estimate is not None
        assert body is not None
        assert estimate.usd == bills.parse_request("generate", dict(body), strict=True).price.usd


@pytest.mark.parametrize("name", ["openai_videos", "comfyrouter", "kie", "apimart", "wavespeed"])
def test_no_price_is_invented(name: str) -> None:
    dialect = provider(name)
    for capability in dialect.capabilities:
        assert capability.price is None
        assert dialect.estimate(VideoRequest(prompt="x", duration_seconds=6), capability) is None


def test_no_estimate_for_what_is_not_offered() -> None:
    dialect = provider("reapi")
    capability = dialect.capability(VideoRequest(prompt="x"))
    assert dialect.estimate(VideoRequest(prompt="x", resolution="1080p"), capability) is None


def test_integers_from_6_to_30_show_no_drift() -> None:
    dialect = provider("aivideoapi")
    for seconds in range(6, 31):
        for resolution, tenths in (("480p", 24), ("720p", 45)):
            request = VideoRequest(prompt="x", duration_seconds=seconds, resolution=resolution)
            cost = dialect.estimate(request, dialect.capability(request))
            assert cost is not None
            assert cost.credits == -(-seconds * tenths // 10)


PACES = [
    *[("reapi", age, wait) for age, wait in ((0, 5), (299, 5), (300, 5), (1950, 32.5), (3600, 180), (10**6, 180))],
    *[("aivideoapi", age, wait) for age, wait in ((0, 5), (60, 5), (180, 10), (300, 15), (10**6, 15))],
    *[("apiinone", age, wait) for age, wait in ((0, 6), (60, 7), (120, 8), (10**6, 8))],
    *[("openai_videos", age, wait) for age, wait in ((0, 2), (60, 5), (10**6, 5))],
    *[("xai", age, wait) for age, wait in ((0, 1), (30, 3), (120, 5), (10**6, 5))],
]


@pytest.mark.parametrize(("name", "age", "wait"), PACES)
def test_the_documented_pace(name: str, age: float, wait: float) -> None:
    assert provider(name).poll_schedule.interval(age) == wait


def test_reapi_backs_off_toward_a_minute() -> None:
    assert 59 < provider("reapi").poll_schedule.interval(3599) < 60


@pytest.mark.parametrize("name", list(PROVIDERS))
def test_the_pace_never_quickens(name: str) -> None:
    waits = [provider(name).poll_schedule.interval(age) for age in range(0, 8000, 7)]
    assert waits == sorted(waits)
    assert waits[0] >= 1


@pytest.mark.parametrize("name", list(PROVIDERS))
def test_a_clock_that_was_set_back(name: str) -> None:
    pace = provider(name).poll_schedule
    assert pace.interval(-3600) == pace.interval(0)


def test_a_pace_of_one_point() -> None:
    assert PollSchedule(((0, 4),)).interval(99) == 4
