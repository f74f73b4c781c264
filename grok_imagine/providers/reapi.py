"""reAPI (reapi.ai), model grok-imagine-1.0-video: one id, the mode is chosen by the number of images.

Source: the provider's model page and API documentation (https://reapi.ai/docs). Here ``size`` is an aspect ratio
and ``quality`` the resolution.
"""

from __future__ import annotations

from decimal import Decimal

from ..errors import AuthRejected, BadRequest, ContentRefused, OutOfCredit, ProviderDown, RateLimited, TaskNotFound
from ..models import Call, Capability, Duration, Mode, Price, VideoRequest
from .base import PollSchedule, Provider, PublicUrls, compact, prompt_if_any, with_id
from .error_parsing import ErrorCodes, normalize_code

MODEL = "grok-imagine-1.0-video"
_RATIOS = ("16:9", "9:16", "1:1", "3:2", "2:3")
_RESOLUTIONS = ("480p", "720p")
_RULES = {
    "model": "R1",
    "prompt_required": "R2",
    "prompt": "R3",
    "aspect_ratio": "R4",
    "duration_seconds": "R5",
    "resolution": "R6",
    "reference_images": "R7",
    "image_file": "R8",
    "motion_mode": "R10",
    "source_video": "R10",
}
# $0.009 a second at both tiers, 1 credit = $0.001, credits rounded up (model page, section Pricing).
_PRICE = Price(Decimal("0.001"), per_second={"480p": Decimal(9), "720p": Decimal(9)})
_DURATION = Duration(6, 30, default=6)


class ReApi(Provider):
    """reAPI's dialect."""

    name = "reapi"
    label = "reAPI"
    default_base_url = "https://reapi.ai"
    key_variable = "REAPI_API_KEY"
    key_prefix = "rk_live_"
    pricing_url = "https://reapi.ai/models/grok-imagine-1-0-video"
    longest_job_hours = 48
    # "Pay only for completed", failures are refunded before a poll shows them (model page; docs/api).
    refunds_failures = True
    result_lifetime_hours = 7 * 24
    # 0-5 min every 5 s; 5 min-1 h gradually toward 1 min; from 1 h every 3 min (model page, Polling pattern).
    poll_schedule = PollSchedule(((0, 5), (300, 5), (3600, 60), (3600, 180)))
    capabilities = (
        Capability(
            MODEL,
            Mode.TEXT,
            _RULES,
            aspect_ratios=_RATIOS,
            default_aspect_ratio="16:9",
            resolutions=_RESOLUTIONS,
            default_resolution="480p",
            duration=_DURATION,
            prompt_limit=4000,
            price=_PRICE,
        ),
        Capability(
            MODEL,
            Mode.IMAGE,
            {**_RULES, "ratio_ignored": "R9"},
            aspect_ratios=_RATIOS,
            ratio_follows_images=7,
            resolutions=_RESOLUTIONS,
            default_resolution="480p",
            duration=_DURATION,
            min_images=1,
            max_images=7,
            prompt_required=False,
            prompt_limit=4000,
            price=_PRICE,
        ),
    )
    id_paths = ("id", "task_id", "taskId", "data.id", "data.task_id")
    video_paths = (
        "output.video_urls",
        "output.urls",
        "output.url",
        "output.video_url",
        "result.videos",
        "data.result.videos",
        "video_url",
    )
    moderation_codes = frozenset({"80006"})
    # https://reapi.ai/docs/api/errors; the model page and this catalog differ on sizes (20003, 20005, 20006).
    error_codes = ErrorCodes(
        normalize_code(
            {
                BadRequest: "20001 20002 20003 20004 20005 20006 20007 30002",
                AuthRejected: "10001 10002 10003 10004 10005 10006",
                OutOfCredit: "30001",
                TaskNotFound: "40001",
                RateLimited: "50001",
                ContentRefused: "80006",
                ProviderDown: "60001 60002 60099 70001 70002",
            }
        )
    )

    def build(self, request: VideoRequest, capability: Capability, urls: PublicUrls) -> Call:
        """Documented fields only: unknown ones are refused."""
        fields = {
            "model": capability.model,
            "prompt": prompt_if_any(request.prompt),
            # Ignored upstream once there are images, so it is left out (rule R9).
            "size": request.aspect_ratio if not urls.images else None,
            "duration": request.duration_seconds,
            "quality": request.resolution,
            "image_urls": list(urls.images),
        }
        return Call.submit("/api/v1/videos/generations", compact(fields))

    def poll(self, task_id: str) -> Call:
        """The task, in the same envelope as the answer to its submit. Polling costs nothing."""
        return Call.get(with_id("/api/v1/tasks/{}", task_id))
