"""Wire bodies against the providers' own examples, to the letter."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grok_imagine.models import Mode, VideoRequest
from grok_imagine.providers import PublicUrls, provider

from .examples import EXAMPLES


# Each row: the dialect, the path, the provider's example, and the wish that must be written so.
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
    ("xai", "@image1@Image2 @image10 image1", "<IMAGE_1><IMAGE_2> <IMAGE_10> image1"),
    ("reapi", "@image1 @Image2", "@image1 @Image2"),
    ("apiinone", "@image1 @Image2", "@image1 @Image2"),
]


@pytest.mark.parametrize(("name", "prompt", "spelled"), TOKENS)
def test_spells_tokens_its_own_way(name: str, prompt: str, spelled: str) -> None:
    images = ("https://a.example.com/1.png", "https://a.example.com/2.png")
    dialect = provider(name)
    request = VideoRequest(prompt=prompt, reference_images=images)
    assert dialect.with_tokens(request, dialect.capability(request).mode).prompt == spelled


def test_tokens_stay_where_they_mean_nothing() -> None:
    # At the gateway and xAI references have tokens; a single first frame has none.
    for name in ("openai_videos", "xai"):
        request = VideoRequest(prompt="@image1", reference_images=("https://a.example.com/1.png",))
        assert provider(name).with_tokens(request, Mode.IMAGE).prompt == "@image1"
