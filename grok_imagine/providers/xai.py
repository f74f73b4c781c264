"""xAI itself (api.x.ai): a path for each kind of work, objects for media, data URIs taken, 202 while pending.

Sources: https://docs.x.ai/developers/model-capabilities/video and its pages on image-to-video, reference-to-video,
editing and extension; https://docs.x.ai/developers/cost-tracking; vercel/ai packages/xai (answers of early builds,
1080p for text and one image with 1.5 only); Comfy-Org/ComfyUI comfy_api_nodes/nodes_grok.py (models for each mode).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from ..errors import AuthRejected, OutOfCredit, Violation
from ..models import Call, Capability, Cost, Duration, Mode, Reply, TaskStatus, VideoRequest
from .base import PollSchedule, Provider, PublicUrls, compact, prompt_if_any, with_id
from .envelope import at, json_object
from .error_parsing import ErrorCodes

MODEL = "grok-imagine-video"
MODEL_1_5 = "grok-imagine-video-1.5"
# https://docs.x.ai/developers/cost-tracking: "1 USD = 10,000,000,000 ticks".
TICKS_PER_USD = 10**10
_RATIOS = ("1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3")
_TIERS = ("480p", "720p")
# The contract numbers no rules for xAI; these are this dialect's own.
_RULES = {
    "model": "X1",
    "prompt_required": "X2",
    "prompt": "X3",
    "duration_seconds": "X4",
    "resolution": "X5",
    "aspect_ratio": "X6",
    "reference_images": "X7",
    "source_video": "X8",
    "motion_mode": "C8",
}
_PATHS = {Mode.EDIT: "/v1/videos/edits", Mode.EXTEND: "/v1/videos/extensions"}


def _generation(model: str, mode: Mode, resolutions: tuple[str, ...], longest: int, images: int) -> Capability:
    """A way to generate: all that differs between models and modes."""
    return Capability(
        model,
        mode,
        _RULES,
        aspect_ratios=_RATIOS,
        default_aspect_ratio="16:9" if mode is not Mode.IMAGE else None,
        resolutions=resolutions,
        default_resolution="480p",
        duration=Duration(1, longest, default=8),
        min_images=1 if images else 0,
        max_images=images,
        prompt_required=mode is not Mode.IMAGE,
        prompt_limit=4096,
    )


class XAi(Provider):
    """xAI's dialect. What a clip cost is in the answer; no price is published in numbers that hold for all models."""

    name = "xai"
    label = "xAI"
    default_base_url = "https://api.x.ai"
    key_variable = "XAI_API_KEY"
    key_prefix = "xai-"
    pricing_url = "https://docs.x.ai/developers/models"
    # "Generated URLs are temporary"; resellers say 24 h.
    result_lifetime_hours = 24
    # The SDKs ask every 1 to 5 s.
    poll_schedule = PollSchedule(((0, 1), (30, 3), (120, 5)))
    takes_data_uris = True
    documents_tokens = frozenset({Mode.REFERENCE})
    capabilities = (
        _generation(MODEL, Mode.TEXT, _TIERS, 15, 0),
        _generation(MODEL_1_5, Mode.TEXT, (*_TIERS, "1080p"), 15, 0),
        _generation(MODEL, Mode.IMAGE, _TIERS, 15, 1),
        _generation(MODEL_1_5, Mode.IMAGE, (*_TIERS, "1080p"), 15, 1),
        _generation(MODEL, Mode.REFERENCE, _TIERS, 10, 7),
        _generation(MODEL_1_5, Mode.REFERENCE, _TIERS, 10, 7),
        # Video goes in with this model only, and comes out in the source's ratio and resolution.
        Capability(MODEL, Mode.EDIT, _RULES, takes_video=True, prompt_limit=4096),
        Capability(
            MODEL, Mode.EXTEND, _RULES, duration=Duration(2, 10, default=6), takes_video=True, prompt_limit=4096
        ),
    )
    id_paths = ("request_id", "id", "task_id")
    video_paths = ("video.url", "data.video.url", "url")
    # Neither has a code of its own: a wrong key is HTTP 400, and an empty account HTTP 429, which would be asked again.
    error_codes = ErrorCodes(
        phrases={
            r"incorrect(?: |%20)api(?: |%20)key": AuthRejected,
            r"used all (?:its |your )?(?:available )?credits|spending limit": OutOfCredit,
        }
    )

    def extra_violations(self, request: VideoRequest, capability: Capability) -> Iterable[Violation]:
        """X8: documented lengths of the source."""
        seconds = request.source_seconds
        if seconds is None or not capability.takes_video:
            return
        if not math.isfinite(seconds) or seconds <= 0:
            yield Violation("X8", "source_seconds", f"must be a length above 0, got {seconds}")
        elif capability.mode is Mode.EDIT and seconds > 8.7:
            message = f"the source has {round(seconds, 2):g} s; at most 8.7 s can be edited, trim it"
            yield Violation("X8", "source_seconds", message)
        elif capability.mode is Mode.EXTEND and not 2 <= seconds <= 15:
            yield Violation("X8", "source_seconds", f"the source has {round(seconds, 2):g} s; it must have 2 to 15 s")

    def build(self, request: VideoRequest, capability: Capability, urls: PublicUrls) -> Call:
        """The mode is told by the path and by which media there are."""
        fields: dict[str, Any] = {
            "model": capability.model,
            "prompt": prompt_if_any(request.prompt),
            "duration": request.duration_seconds,
            "aspect_ratio": request.aspect_ratio,
            "resolution": request.resolution,
        }
        media = [{"url": url} for url in urls.images]
        if capability.mode is Mode.REFERENCE:
            fields["reference_images"] = media
        elif media:
            fields["image"] = media[0]  # an object: a plain string is refused with 422
        if capability.takes_video and urls.video:
            fields["video"] = {"url": urls.video}
        return Call.submit(_PATHS.get(capability.mode, "/v1/videos/generations"), compact(fields))

    def poll(self, task_id: str) -> Call:
        """The request by its id."""
        return Call.get(with_id("/v1/videos/{}", task_id))

    def token(self, number: int) -> str:
        """The tag of xAI's page on references, which counts from 1."""
        return f"<IMAGE_{number}>"

    def status(self, reply: Reply) -> TaskStatus:
        """The state, with what xAI billed for it."""
        status = super().status(reply)
        return replace(status, cost=_cost(json_object(reply.body.decode("utf-8", "replace"))))


def _cost(body: Mapping[str, Any]) -> Cost | None:
    """What was billed, in dollars: xAI has no credits."""
    ticks = at(body, "usage.cost_in_usd_ticks")
    if not isinstance(ticks, int) or isinstance(ticks, bool) or ticks < 0:
        return None
    return Cost(None, Decimal(ticks) / TICKS_PER_USD, is_estimate=False)
