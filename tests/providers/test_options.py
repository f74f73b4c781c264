"""Choices are the capability's own; every value that is offered to mend a violation mends it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from grok_imagine.models import Mode, VideoRequest
from grok_imagine.providers import PROVIDERS
from grok_imagine.providers.options import Fix, choices, fixes

IMAGE = "https://example.com/1.png"
NODES = ((Mode.TEXT,), (Mode.IMAGE, Mode.REFERENCE))
CHANGES: tuple[dict[str, Any], ...] = (
    {},
    {"prompt": " "},
    {"resolution": "1080p", "duration_seconds": 12},
    *({"duration_seconds": seconds} for seconds in (None, 1, 16, 31)),
    *({"motion_mode": motion} for motion in ("fun", "spicy")),
    *({"aspect_ratio": ratio} for ratio in ("4:3", "2:3", "21:9")),
)


@pytest.mark.parametrize("name", PROVIDERS)
def test_each_fix_that_is_offered_is_one(name: str) -> None:
    provider, offered = PROVIDERS[name], 0
    for modes, images, changes in itertools.product(NODES, (0, 1, 8), CHANGES):
        for model in (None, "unheard-of"):
            fields = {"prompt": "a kite", "duration_seconds": 6, "mode": None if images else modes[0], **changes}
            request = VideoRequest(model=model, reference_images=(IMAGE,) * images, **fields)
            for violation in provider.judge(request)[1]:
                for fix in fixes(provider, modes, request, violation):
                    value = Mode(fix.value) if fix.field == "mode" else fix.value
                    after = provider.judge(request.model_copy(update={fix.field: value}))[1]
                    assert violation.field not in {one.field for one in after}, (request, violation, fix)
                    offered += 1
    assert offered > 20


def test_another_model_is_the_first_fix() -> None:
    provider = PROVIDERS["xai"]
    request = VideoRequest(prompt="x", resolution="1080p", duration_seconds=6)
    (only,) = provider.judge(request)[1]
    assert (only.field, only.reason, only.values["value"]) == ("resolution", "not_offered", "1080p")
    found = fixes(provider, (Mode.TEXT,), request, only)
    newer = [Fix("model", "grok-imagine-video-1.5"), Fix("model", "grok-imagine-video-1.5-lite")]
    assert found[:3] == [*newer, Fix("resolution", None)]


def test_a_length_beyond_the_limits_has_the_nearest_as_its_fix() -> None:
    request = VideoRequest(prompt="x", duration_seconds=40)
    (only,) = PROVIDERS["reapi"].judge(request)[1]
    assert (only.reason, dict(only.values)) == ("duration_span", {"least": 6, "most": 30, "value": 40})
    assert fixes(PROVIDERS["reapi"], (Mode.TEXT,), request, only) == [Fix("duration_seconds", 30)]


def test_choices_are_the_capabilitys_own() -> None:
    modes = (Mode.TEXT,)
    found = choices(PROVIDERS["reapi"], modes, PROVIDERS["reapi"].capabilities[0])
    assert (found.resolution, found.motion_mode, found.duration) == (("480p", "720p"), (), (0, 30))
    assert found.model == ("grok-imagine-1.0-video",)
    gateway = PROVIDERS["openai_videos"]
    assert choices(gateway, modes, gateway.capabilities[0]).duration == (1, 15), "the length must be stated there"
    fixed = PROVIDERS["apiinone"]
    assert choices(fixed, modes, fixed.capabilities[0]).duration is None
