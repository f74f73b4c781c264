"""Wire bodies against the providers' own examples, to the letter."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grok_imagine.models import Mode, VideoRequest
from grok_imagine.providers import PublicUrls, provider

# Each row: the dialect, the path, the provider's example, and the wish that must be written so.
EXAMPLES: list[tuple[str, str, str, str, dict[str, Any]]] = [
    (
        "reapi quick example",
        "reapi",
        "/api/v1/videos/generations",
        """{"model": "grok-imagine-1.0-video", "prompt": "A dog running on a sunlit beach, slow-motion",
            "size": "16:9", "duration": 6, "quality": "720p"}""",
        {
            "prompt": "A dog running on a sunlit beach, slow-motion",
            "aspect_ratio": "16:9",
            "duration_seconds": 6,
            "resolution": "720p",
        },
    ),
    (
        "reapi text, minimum",
        "reapi",
        "/api/v1/videos/generations",
        """{"model": "grok-imagine-1.0-video", "prompt": "A little girl walking down a sunset coastal road"}""",
        {"prompt": "A little girl walking down a sunset coastal road"},
    ),
    (
        "reapi text, full",
        "reapi",
        "/api/v1/videos/generations",
        """{"model": "grok-imagine-1.0-video",
            "prompt": "A dog running on a sunlit beach, slow-motion, cinematic warm tones",
            "size": "16:9", "duration": 10, "quality": "720p"}""",
        {
            "prompt": "A dog running on a sunlit beach, slow-motion, cinematic warm tones",
            "aspect_ratio": "16:9",
            "duration_seconds": 10,
            "resolution": "720p",
        },
    ),
    (
        "reapi image",
        "reapi",
        "/api/v1/videos/generations",
        """{"model": "grok-imagine-1.0-video", "prompt": "Bring the scene to life with a gentle camera dolly forward",
            "image_urls": ["https://your-cdn.com/reference.jpg"], "duration": 8, "quality": "720p"}""",
        {
            "prompt": "Bring the scene to life with a gentle camera dolly forward",
            "reference_images": ("https://your-cdn.com/reference.jpg",),
            "duration_seconds": 8,
            "resolution": "720p",
        },
    ),
    (
        "reapi several images",
        "reapi",
        "/api/v1/videos/generations",
        """{"model": "grok-imagine-1.0-video", "prompt": "Smooth cinematic motion across the reference subjects",
            "image_urls": ["https://your-cdn.com/ref-1.jpg", "https://your-cdn.com/ref-2.jpg",
                           "https://your-cdn.com/ref-3.jpg"], "duration": 12}""",
        {
            "prompt": "Smooth cinematic motion across the reference subjects",
            "reference_images": tuple(f"https://your-cdn.com/ref-{number}.jpg" for number in (1, 2, 3)),
            "duration_seconds": 12,
        },
    ),
    (
        "aivideoapi curl",
        "aivideoapi",
        "/v1/videos/generations",
        """{"model": "grok-imagine-text-to-video", "input": {
            "prompt": "A couple of doors open in a surreal hallway, each revealing a tiny living room.",
            "aspect_ratio": "2:3", "duration": 6, "resolution": "480p"}}""",
        {
            "prompt": "A couple of doors open in a surreal hallway, each revealing a tiny living room.",
            "aspect_ratio": "2:3",
            "duration_seconds": 6,
            "resolution": "480p",
        },
    ),
    (
        "aivideoapi images",
        "aivideoapi",
        "/v1/videos/generations",
        """{"model": "grok-imagine-image-to-video", "input": {"prompt": "@image1 waves at @image2",
            "image_urls": ["https://a.example.com/1.png", "https://a.example.com/2.png"], "aspect_ratio": "3:2",
            "duration": 7, "resolution": "480p", "mode": "fun"}}""",
        {
            "prompt": "@Image1 waves at @image2",
            "reference_images": ("https://a.example.com/1.png", "https://a.example.com/2.png"),
            "aspect_ratio": "3:2",
            "duration_seconds": 7,
            "resolution": "480p",
            "motion_mode": "fun",
        },
    ),
    (
        "aivideoapi one image, no prompt, ratio not sent",
        "aivideoapi",
        "/v1/videos/generations",
        """{"model": "grok-imagine-image-to-video", "input": {"image_urls": ["https://a.example.com/1.png"]}}""",
        {"prompt": "  ", "reference_images": ("https://a.example.com/1.png",), "aspect_ratio": "3:2"},
    ),
    (
        "apiinone example",
        "apiinone",
        "/api/v1/videos/generations",
        """{"model": "grok-imagine/text-to-video",
            "prompt": "A cat walking across a piano keyboard, cinematic lighting"}""",
        {"prompt": "A cat walking across a piano keyboard, cinematic lighting"},
    ),
    (
        "apiinone images",
        "apiinone",
        "/api/v1/videos/generations",
        """{"model": "grok-imagine/image-to-video", "image_urls": ["https://a.example.com/1.png"]}""",
        {"reference_images": ("https://a.example.com/1.png",)},
    ),
    (
        "gateway 7.1 text",
        "openai_videos",
        "/v1/videos",
        """{"model": "grok-imagine", "prompt": " camera, fast, camera. ", "size": "720p", "aspect_ratio": "16:9",
            "duration": 6}""",
        {
            "prompt": " camera, fast, camera. ",
            "resolution": "720p",
            "aspect_ratio": "16:9",
            "duration_seconds": 6,
        },
    ),
    (
        "gateway 7.2 image",
        "openai_videos",
        "/v1/videos",
        """{"model": "grok-imagine", "prompt": " camera, camera. ", "image": "https://example.com/portrait.png",
            "size": "480p", "aspect_ratio": "auto", "duration": 10}""",
        {
            "prompt": " camera, camera. ",
            "reference_images": ("https://example.com/portrait.png",),
            "aspect_ratio": "auto",
            "duration_seconds": 10,
        },
    ),
    (
        "gateway 7.3 references",
        "openai_videos",
        "/v1/videos",
        """{"model": "grok-imagine", "prompt": " @Image1 @Image2, slow camera push-in. ",
            "images": ["https://example.com/person.png", "https://example.com/street.png"],
            "size": "720p", "aspect_ratio": "4:3", "duration": 10}""",
        {
            "prompt": " @image1 @image2, slow camera push-in. ",
            "reference_images": ("https://example.com/person.png", "https://example.com/street.png"),
            "resolution": "720p",
            "aspect_ratio": "4:3",
            "duration_seconds": 10,
        },
    ),
    (
        "gateway 7.4 edit",
        "openai_videos",
        "/v1/videos",
        """{"model": "grok-imagine", "prompt": "to change videointo, reserved action and. ",
            "video": "https://example.com/source.mp4", "size": "720p",
            "extra_body": {"operation": "edit_video", "input_video_seconds": 8}}""",
        {
            "mode": Mode.EDIT,
            "prompt": "to change videointo, reserved action and. ",
            "source_video": "https://example.com/source.mp4",
            "source_seconds": 7.2,
            "resolution": "720p",
        },
    ),
    (
        "gateway 7.5 extend",
        "openai_videos",
        "/v1/videos",
        """{"model": "grok-imagine", "prompt": " camera, video and Orientation. ",
            "video": "https://example.com/source.mp4", "duration": 6,
            "extra_body": {"operation": "video_extend", "input_video_seconds": 8}}""",
        {
            "mode": Mode.EXTEND,
            "prompt": " camera, video and Orientation. ",
            "source_video": "https://example.com/source.mp4",
            "source_seconds": 8.0,
            "duration_seconds": 6,
        },
    ),
    (
        "gateway, tier always said",
        "openai_videos",
        "/v1/videos",
        """{"model": "grok-imagine", "prompt": "x", "size": "480p", "duration": 1}""",
        {"prompt": "x", "duration_seconds": 1},
    ),
    (
        "gateway, one reference",
        "openai_videos",
        "/v1/videos",
        """{"model": "grok-imagine", "prompt": "@Image1", "images": ["https://example.com/person.png"], "size": "480p",
            "duration": 10, "extra_body": {"operation": "reference_to_video"}}""",
        {
            "mode": Mode.REFERENCE,
            "prompt": "@image1",
            "reference_images": ("https://example.com/person.png",),
            "duration_seconds": 10,
        },
    ),
    (
        "gateway, length unknown",
        "openai_videos",
        "/v1/videos",
        """{"model": "grok-imagine", "prompt": "x", "video": "https://example.com/source.mp4", "size": "480p",
            "extra_body": {"operation": "edit_video"}}""",
        {"mode": Mode.EDIT, "prompt": "x", "source_video": "https://example.com/source.mp4"},
    ),
    (
        "xai text, minimum",
        "xai",
        "/v1/videos/generations",
        """{"model": "grok-imagine-video", "prompt": "x"}""",
        {"prompt": "x"},
    ),
    (
        "xai text, full",
        "xai",
        "/v1/videos/generations",
        """{"model": "grok-imagine-video-1.5", "prompt": "x", "duration": 15, "aspect_ratio": "4:3",
            "resolution": "1080p"}""",
        {
            "model": "grok-imagine-video-1.5",
            "prompt": "x",
            "duration_seconds": 15,
            "aspect_ratio": "4:3",
            "resolution": "1080p",
        },
    ),
    (
        "xai image",
        "xai",
        "/v1/videos/generations",
        """{"model": "grok-imagine-video", "prompt": "@image1 x", "image": {"url": "https://a.example.com/1.png"}}""",
        {"prompt": "@image1 x", "reference_images": ("https://a.example.com/1.png",)},
    ),
    (
        "xai references",
        "xai",
        "/v1/videos/generations",
        """{"model": "grok-imagine-video", "prompt": "<IMAGE_1> wears <IMAGE_2>", "duration": 10,
            "reference_images": [{"url": "https://a.example.com/1.png"}, {"url": "data:image/png;base64,AAAA"}]}""",
        {
            "prompt": "@image1 wears @Image2",
            "duration_seconds": 10,
            "reference_images": ("https://a.example.com/1.png", "data:image/png;base64,AAAA"),
        },
    ),
    (
        "xai one reference",
        "xai",
        "/v1/videos/generations",
        """{"model": "grok-imagine-video", "prompt": "x", "reference_images": [{"url": "https://a.example.com/1.png"}]}""",
        {"mode": Mode.REFERENCE, "prompt": "x", "reference_images": ("https://a.example.com/1.png",)},
    ),
    (
        "xai edit",
        "xai",
        "/v1/videos/edits",
        """{"model": "grok-imagine-video", "prompt": "x", "video": {"url": "https://example.com/source.mp4"}}""",
        {
            "mode": Mode.EDIT,
            "prompt": "x",
            "source_video": "https://example.com/source.mp4",
            "source_seconds": 8.7,
        },
    ),
    (
        "xai extend",
        "xai",
        "/v1/videos/extensions",
        """{"model": "grok-imagine-video", "prompt": "x", "video": {"url": "https://example.com/source.mp4"},
            "duration": 10}""",
        {
            "mode": Mode.EXTEND,
            "prompt": "x",
            "source_video": "https://example.com/source.mp4",
            "duration_seconds": 10,
        },
    ),
]


@pytest.mark.parametrize(("name", "path", "example", "wish"), [pytest.param(*row[1:], id=row[0]) for row in EXAMPLES])
def test_writes_the_example(name: str, path: str, example: str, wish: dict[str, Any]) -> None:
    request = VideoRequest(**wish)
    dialect = provider(name)
    dialect.check(request)
    urls = PublicUrls(tuple(str(image) for image in request.reference_images), wish.get("source_video"))
    call = dialect.submit(request, urls)
    assert (call.method, call.target) == ("POST", path)
    assert call.body is not None
    assert dict(call.body) == json.loads(example)


POLLS = [
    ("reapi", "/api/v1/tasks/task_1"),
    ("aivideoapi", "/v1/tasks/task_1"),
    ("apiinone", "/api/v1/tasks/task_1"),
    ("openai_videos", "/v1/videos/task_1"),
    ("xai", "/v1/videos/task_1"),
]


@pytest.mark.parametrize(("name", "path"), POLLS)
def test_polls_the_documented_path(name: str, path: str) -> None:
    assert provider(name).poll("task_1").target == path


def test_the_ratio_that_images_give_is_not_sent() -> None:
    request = VideoRequest(prompt="x", aspect_ratio="9:16", reference_images=("https://a.example.com/1.png",))
    call = provider("reapi").submit(request, PublicUrls(("https://a.example.com/1.png",)))
    assert call.body is not None
    assert "size" not in call.body


def test_the_order_of_images_is_kept_and_repeats_stay() -> None:
    urls = ("https://a.example.com/2.png", "https://a.example.com/1.png", "https://a.example.com/2.png")
    for name, field in (("reapi", "image_urls"), ("apiinone", "image_urls"), ("openai_videos", "images")):
        request = VideoRequest(prompt="x", duration_seconds=6 if name != "apiinone" else None, reference_images=urls)
        call = provider(name).submit(request, PublicUrls(urls))
        assert call.body is not None
        assert call.body[field] == list(urls)


def test_the_public_url_is_sent_and_not_the_wish() -> None:
    request = VideoRequest(prompt="x", reference_images=("https://old.example.com/1.png",))
    call = provider("apiinone").submit(request, PublicUrls(("https://new.example.com/1.png",)))
    assert call.body is not None
    assert call.body["image_urls"] == ["https://new.example.com/1.png"]


@pytest.mark.parametrize("seconds", [7.01, 7.5, 8.0, 8])
def test_the_source_length_is_rounded_up(seconds: float) -> None:
    request = VideoRequest(
        mode=Mode.EDIT, prompt="x", source_video="https://a.example.com/s.mp4", source_seconds=seconds
    )
    call = provider("openai_videos").submit(request, PublicUrls(video="https://a.example.com/s.mp4"))
    assert call.body is not None
    sent = call.body["extra_body"]["input_video_seconds"]
    assert sent == 8
    assert type(sent) is int


TOKENS = [
    ("aivideoapi", "@image1 @Image2 @image10 @image1x me@image1", "@image1 @image2 @image10 @image1x me@image1"),
    ("openai_videos", "@image1@image2 @image10,@image1看", "@Image1@Image2 @Image10,@Image1看"),
    ("xai", "@image1@Image2 @image10 @@image1", "<IMAGE_1><IMAGE_2> <IMAGE_10> @@image1"),
    ("reapi", "@image1 @Image2", "@image1 @Image2"),
    ("apiinone", "@image1 @Image2", "@image1 @Image2"),
]


@pytest.mark.parametrize(("name", "prompt", "spelled"), TOKENS)
def test_spells_tokens_its_own_way(name: str, prompt: str, spelled: str) -> None:
    images = ("https://a.example.com/1.png", "https://a.example.com/2.png")
    dialect = provider(name)
    request = VideoRequest(prompt=prompt, reference_images=images)
    assert dialect.rendered(request, dialect.capability(request).mode).prompt == spelled


def test_tokens_stay_where_they_mean_nothing() -> None:
    # At the gateway and xAI references have tokens; a single first frame has none.
    for name in ("openai_videos", "xai"):
        request = VideoRequest(prompt="@image1", reference_images=("https://a.example.com/1.png",))
        assert provider(name).rendered(request, Mode.IMAGE).prompt == "@image1"
