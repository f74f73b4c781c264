"""The official OpenAI client against the gateway: create, poll, download, list, delete."""

from __future__ import annotations

from typing import Any

import pytest

openai = pytest.importorskip("openai")
# The maker of the client gave up its own service; what is tested here is the dialect, which lives on.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
async def client(open_sandbox: Any) -> Any:
    call = await open_sandbox(seconds=0.2, clock="wall")
    made = openai.AsyncOpenAI(base_url=call.sandbox.base("openai_videos") + "/v1", api_key="sk-sandbox")
    yield made
    await made.close()


async def test_create_poll_download(client: Any) -> None:
    video = await client.videos.create_and_poll(
        model="grok-imagine", prompt="a lake", seconds="1", size="480p", extra_body={"aspect_ratio": "16:9"}
    )
    assert (video.status, video.progress, video.seconds) == ("completed", 100, "1")
    content = await client.videos.download_content(video.id)
    assert content.content[4:8] == b"ftyp"
    assert [v.id async for v in client.videos.list()] == [video.id]
    assert (await client.videos.delete(video.id)).deleted
    with pytest.raises(openai.BadRequestError):
        await client.videos.retrieve(video.id)


async def test_the_nested_extra_body(client: Any) -> None:
    """The SDK merges its extra_body into the body's top level, so the seed's object has to be nested in it."""
    with pytest.raises(openai.BadRequestError, match="does not agree with the inputs"):
        await client.videos.create(
            model="grok-imagine",
            prompt="x",
            seconds="1",
            size="480p",
            extra_body={"extra_body": {"operation": "edit_video"}},
        )


async def test_a_reference_file_comes_as_multipart(client: Any, make_picture: Any) -> None:
    video = await client.videos.create_and_poll(
        model="grok-imagine",
        prompt="a still",
        seconds="1",
        size="480p",
        input_reference=("first.jpg", make_picture(160, 160), "image/jpeg"),
    )
    assert video.status == "completed"


async def test_a_wrong_key(open_sandbox: Any) -> None:
    call = await open_sandbox()
    bad = openai.AsyncOpenAI(base_url=call.sandbox.base("openai_videos") + "/v1", api_key="sk-other", max_retries=0)
    with pytest.raises(openai.AuthenticationError):
        await bad.videos.create(model="grok-imagine", prompt="x", seconds="1", size="480p")
    await bad.close()
