"""API in One (apiin.one), grok-video: a prompt, a model and images; everything else is the provider's choice.

Sources: the provider's grok-video page; https://apiin.one/docs for the base URL and both shapes of its answers.
"""

from __future__ import annotations

from decimal import Decimal

from ..models import Call, Capability, Mode, Price, VideoRequest
from .base import PollSchedule, Provider, PublicUrls, compact, prompt_if_any, with_id

TEXT_MODEL = "grok-imagine/text-to-video"
IMAGE_MODEL = "grok-imagine/image-to-video"
_RULES = {
    "model": "P1",
    "prompt": "P2",
    "reference_images": "P3",
    "aspect_ratio": "P5",
    "duration_seconds": "P5",
    "resolution": "P5",
    "motion_mode": "P5",
    "source_video": "P5",
}
# 24 credits, about $0.24, for each clip of either mode (model page, section Pricing). An older page of the provider
# has the same credits at about $0.048.
_PRICE = Price(Decimal("0.01"), per_clip=Decimal(24))


class ApiInOne(Provider):
    """API in One's dialect."""

    name = "apiinone"
    label = "API in One"
    default_base_url = "https://apiin.one"
    key_variable = "APIINONE_API_KEY"
    key_prefix = "aio_"
    pricing_url = "https://apiin.one/model/grok-video"
    # Not documented: the shortest that is known of others.
    result_lifetime_hours = 24
    # "Successful requests" are what it bills (model page, section Pricing).
    refunds_failures = True
    # Not documented either: a public client of it asks every 6 to 8 s.
    poll_schedule = PollSchedule(((0, 6), (120, 8)))
    capabilities = (
        Capability(TEXT_MODEL, Mode.TEXT, _RULES, prompt_limit=5000, price=_PRICE),
        # No number of images is documented; 7 is what the model takes everywhere else.
        Capability(
            IMAGE_MODEL,
            Mode.IMAGE,
            _RULES,
            min_images=1,
            max_images=7,
            prompt_required=False,
            prompt_limit=5000,
            price=_PRICE,
        ),
    )
    id_paths = ("data.task_id", "id", "data.taskId", "data.id", "task_id", "taskId")
    video_paths = (
        "data.output.video_url",
        "data.video_url",
        "output.video_url",
        "data.output.video_urls",
        "data.output.urls",
        "data.output.url",
        "data.response",
        "data.result.video_url",
        "data.result.videos",
        "data.result.outputs",
        "data.result.url",
        "video_url",
        "data.resultJson",
    )

    def build(self, request: VideoRequest, capability: Capability, urls: PublicUrls) -> Call:
        """Nothing but model, prompt and images (rule P5)."""
        fields = {
            "model": capability.model,  # always said, though it has a default (rule P4)
            "prompt": prompt_if_any(request.prompt),
            "image_urls": list(urls.images),
        }
        return Call.submit("/api/v1/videos/generations", compact(fields))

    def poll(self, task_id: str) -> Call:
        """The task, in either of the provider's two shapes."""
        return Call.get(with_id("/api/v1/tasks/{}", task_id))
