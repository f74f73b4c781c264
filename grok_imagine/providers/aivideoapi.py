"""AI Video API (aivideoapi.ai): two model ids, text and image; every generation parameter lies inside ``input``.

Sources: the provider's Grok Imagine page, its docs (https://aivideoapi.ai/docs/video-generation/grok-imagine) for the
image model's id, the prompt's limit and the list of ratios, and its Seedance page, same endpoint, for the answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from ..errors import AuthRejected
from ..models import Call, Capability, Duration, Mode, Price, VideoRequest
from .base import PollSchedule, Provider, PublicUrls, compact, prompt_if_any, with_id
from .error_parsing import ErrorCodes, normalize_code

TEXT_MODEL = "grok-imagine-text-to-video"
IMAGE_MODEL = "grok-imagine-image-to-video"
_RATIOS = ("2:3", "3:2", "1:1", "16:9", "9:16")
_RESOLUTIONS = ("480p", "720p")
_RULES = {
    "model": "A1",
    "reference_images": "A1",
    "prompt": "A2",
    "duration_seconds": "A3",
    "resolution": "A4",
    "motion_mode": "A5",
    "aspect_ratio": "A6",
    "image_file": "A7",
    "source_video": "C9",
}
_DURATION = Duration(6, 30, default=6)
# 2.4 and 4.5 credits a second, 1 credit = $0.005. "6 s at 480p about 15" for 14.4: so the sum is rounded up here, and
# is an estimate, as how the provider rounds is not said (model page, section Pricing).
_PRICE = Price(Decimal("0.005"), per_second={"480p": Decimal("2.4"), "720p": Decimal("4.5")})


class AiVideoApi(Provider):
    """AI Video API's dialect."""

    name = "aivideoapi"
    label = "AI Video API"
    default_base_url = "https://api.aivideoapi.ai"
    key_variable = "AIVIDEOAPI_API_KEY"
    key_prefix = "sk-"
    pricing_url = "https://aivideoapi.ai/pricing"
    result_lifetime_hours = 24
    # Its page for the same endpoint (Seedance) says that failed tasks are refunded.
    refunds_failures = True
    takes_callbacks = True
    # No interval is documented: 5 s at first, 15 s for a task that takes long.
    poll_schedule = PollSchedule(((0, 5), (60, 5), (300, 15)))
    documents_tokens = frozenset({Mode.TEXT, Mode.IMAGE})
    capabilities = (
        Capability(
            TEXT_MODEL,
            Mode.TEXT,
            _RULES,
            aspect_ratios=_RATIOS,
            default_aspect_ratio="2:3",
            resolutions=_RESOLUTIONS,
            default_resolution="480p",
            duration=_DURATION,
            motion_modes=("fun", "normal", "spicy"),
            prompt_limit=5000,
            price=_PRICE,
        ),
        Capability(
            IMAGE_MODEL,
            Mode.IMAGE,
            _RULES,
            aspect_ratios=_RATIOS,
            ratio_follows_images=1,
            resolutions=_RESOLUTIONS,
            default_resolution="480p",
            duration=_DURATION,
            motion_modes=("fun", "normal"),
            min_images=1,
            max_images=7,
            image_bytes=10 * 1024 * 1024,
            prompt_required=False,
            prompt_limit=5000,
            price=_PRICE,
        ),
    )
    # A family of the same origin (docs.kie.ai) turns spicy into normal without a word once there are images; here it is
    # an error before any money moves, as the user would not learn of it otherwise (rule A5).
    reasons: ClassVar[Mapping[str, str]] = {"spicy": "spicy works from text alone, never with images"}
    id_paths = ("data.taskId", "taskId", "data.task_id", "data.id", "id")
    video_paths = (
        "output.urls",
        "output.video_urls",
        "output.url",
        "output.video_url",
        "data.output.urls",
        "data.output.video_urls",
        "data.output.url",
        "data.output.video_url",
        "video_url",
        "url",
        "resultJson",
        "data.resultJson",
    )
    # https://aivideoapi.ai/docs/getting-started/authentication: keys may be bound to addresses and to spending limits.
    error_codes = ErrorCodes(normalize_code({AuthRejected: "ip_not_allowed"}))

    def build(self, request: VideoRequest, capability: Capability, urls: PublicUrls) -> Call:
        """The model at the top, every parameter of the clip inside ``input`` (rule A9)."""
        one_image = len(urls.images) == 1
        fields = {
            "prompt": prompt_if_any(request.prompt),
            "image_urls": list(urls.images),
            # One image gives the ratio itself, so another is not sent (rule A6).
            "aspect_ratio": None if one_image else request.aspect_ratio,
            "duration": request.duration_seconds,
            "resolution": request.resolution,
            "mode": request.motion_mode,
        }
        body: dict[str, Any] = {"model": capability.model, "input": compact(fields)}
        if urls.callback:
            body["callback_url"] = urls.callback  # beside ``input``, not in it (rule A8)
        return Call.submit("/v1/videos/generations", body)

    def poll(self, task_id: str) -> Call:
        """The task, unwrapped, unlike the answer to its submit."""
        return Call.get(with_id("/v1/tasks/{}", task_id))
