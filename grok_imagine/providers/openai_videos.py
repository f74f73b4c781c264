"""The OpenAI-compatible gateway (/v1/videos, model grok-imagine): five operations, told apart by their inputs.

Sources: the gateway's own Grok Imagine page; QuantumNous/new-api (dto/openai_video.go, dto/task.go,
relay/relay_task.go, controller/video_proxy.go) for the answers of the family. Here ``size`` is the resolution, and
``extra_body`` is a real object in the body, while the OpenAI SDK merges its argument of that name into the top level.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..errors import Violation
from ..models import Call, Capability, Duration, Mode, VideoRequest
from .base import PollSchedule, Provider, PublicUrls, compact, with_id

MODEL = "grok-imagine"
_TIERS = ("480p", "720p")
# The page's list has three ratios, but its example with references asks for 4:3: there it is xAI's list.
_REFERENCE_RATIOS = ("1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3")
_RULES = {
    "model": "U1",
    "prompt": "U2",
    "duration_required": "U3",
    "duration_seconds": "U4",
    "duration_seconds_type": "U5",
    "reference_images": "U6",
    "too_few_images": "U12",
    "source_video": "U6",
    "resolution": "U9",
    "aspect_ratio": "U10",
    "motion_mode": "C8",
}
_OPERATIONS = {Mode.EDIT: "edit_video", Mode.EXTEND: "video_extend"}


class OpenAIVideos(Provider):
    """The gateway's dialect. No price is published in numbers: they are on the gateway's own pricing page."""

    model_name = MODEL
    """The gateway's own name for the model."""
    name = "openai_videos"
    label = "OpenAI-compatible gateway"
    default_base_url = None
    key_variable = "OPENAI_VIDEOS_API_KEY"
    key_prefix = "sk-"
    # Not documented: the shortest that is known of others. The file also stays at /content for a time.
    result_lifetime_hours = 24
    # "Poll every 2-5 seconds".
    poll_schedule = PollSchedule(((0, 2), (60, 5)))
    documents_tokens = frozenset({Mode.REFERENCE})
    capabilities = (
        Capability(
            MODEL,
            Mode.TEXT,
            _RULES,
            aspect_ratios=("16:9", "1:1", "9:16"),
            resolutions=_TIERS,
            default_resolution="480p",
            duration=Duration(1, 15),
        ),
        Capability(
            MODEL,
            Mode.IMAGE,
            _RULES,
            aspect_ratios=("auto",),
            resolutions=_TIERS,
            default_resolution="480p",
            duration=Duration(1, 15),
            min_images=1,
            max_images=1,
        ),
        Capability(
            MODEL,
            Mode.REFERENCE,
            {**_RULES, "reference_images": "U14"},
            aspect_ratios=_REFERENCE_RATIOS,
            resolutions=_TIERS,
            default_resolution="480p",
            duration=Duration(1, 10),
            min_images=1,
            max_images=7,
        ),
        Capability(MODEL, Mode.EDIT, _RULES, resolutions=_TIERS, default_resolution="480p", takes_video=True),
        Capability(MODEL, Mode.EXTEND, _RULES, duration=Duration(2, 10), takes_video=True),
    )
    id_paths = ("id", "task_id", "data.task_id", "data.id", "request_id")
    video_paths = (
        "metadata.url",
        "video_url",
        "result.video_url",
        "result.outputs",
        "data.result_url",
        "data.data.video.url",
        "video.url",
        "output.url",
        "output_url",
        "url",
    )
    # The legacy route of older builds puts the finished clip's URL where a failure's reason belongs.
    fallback_paths = ("data.fail_reason", "fail_reason")

    def with_model(self, name: str) -> OpenAIVideos:
        """The dialect with another name for the model in what is sent."""
        renamed = OpenAIVideos()
        renamed.model_name = name
        return renamed

    def extra_violations(self, request: VideoRequest, capability: Capability) -> Iterable[Violation]:
        """U11: the source's length is what the gateway bills by."""
        seconds, field = request.source_seconds, "source_seconds"
        if not capability.takes_video:
            return
        if seconds is None:
            message = "the video's length is unknown, so the gateway measures it or bills a default"
            yield Violation("U11", field, message, is_warning=True)
        elif not (math.isfinite(seconds) and seconds > 0):
            yield Violation("U11", field, f"must be a length above 0, got {seconds}")
        elif capability.mode is Mode.EDIT and seconds > 8.7:
            message = f"the source has {round(seconds, 2):g} s; upstream edits at most 8.7 s, trim it"
            yield Violation("U11", field, message, is_warning=True)
        elif capability.mode is Mode.EXTEND and not 2 <= seconds <= 15:
            message = f"the source has {round(seconds, 2):g} s; upstream extends sources of 2 to 15 s"
            yield Violation("U11", field, message, is_warning=True)

    def build(self, request: VideoRequest, capability: Capability, urls: PublicUrls) -> Call:
        """One family of inputs at a time; ``duration`` rather than its alias ``seconds``."""
        several = capability.mode is Mode.REFERENCE
        fields = {
            "model": self.model_name,
            "prompt": request.prompt,
            "image": urls.images[0] if urls.images and not several else None,
            "images": list(urls.images) if several else None,
            "video": urls.video if capability.takes_video else None,
            # The default is not documented, so the tier is always said (rule U9).
            "size": request.resolution or capability.default_resolution,
            "aspect_ratio": request.aspect_ratio,
            "duration": request.duration_seconds,
            "extra_body": self._extra_body(request, capability) or None,
        }
        return Call.submit("/v1/videos", compact(fields))

    def _extra_body(self, request: VideoRequest, capability: Capability) -> dict[str, str | int]:
        if capability.takes_video:
            operation: dict[str, str | int] = {"operation": _OPERATIONS[capability.mode]}
            seconds = request.source_seconds
            return operation if seconds is None else {**operation, "input_video_seconds": math.ceil(seconds)}
        if capability.mode is Mode.REFERENCE and len(request.reference_images) == 1:
            return {"operation": "reference_to_video"}  # else one image may be routed to image-to-video (rule U8)
        return {}

    def poll(self, task_id: str) -> Call:
        """The task. ``progress: 100`` is no success: failed tasks say it too."""
        return Call.get(with_id("/v1/videos/{}", task_id))

    def content(self, task_id: str) -> Call:
        """The file behind the key, where the task names no URL."""
        return Call.get(with_id("/v1/videos/{}/content", task_id))

    def token(self, number: int) -> str:
        """The spelling of the page's own example."""
        return f"@Image{number}"
