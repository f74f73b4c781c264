"""What every provider owes, run over every entry of the registry and its folder of recorded replies."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from grok_imagine import errors
from grok_imagine.models import Call, Capability, Mode, Reply, RetryPolicy, TaskPhase, VideoRequest
from grok_imagine.providers import PROVIDERS, Provider, PublicUrls, provider

REPLIES = Path(__file__).parent / "replies"
KEY = "test-key-0123456789"
IMAGES = tuple(f"https://images.example.com/{number}.jpg" for number in range(1, 8))
VIDEO = "https://videos.example.com/source.mp4"

# Every field that the dialect's documentation names, and nothing else.
DOCUMENTED: dict[str, set[str]] = {
    "reapi": {"model", "prompt", "size", "duration", "quality", "image_urls"},
    "aivideoapi": {
        "model",
        "input",
        *(f"input.{name}" for name in ("prompt", "aspect_ratio", "duration", "resolution", "mode", "image_urls")),
    },
    "apiinone": {"model", "prompt", "image_urls"},
    "openai_videos": {
        *("model", "prompt", "image", "images", "video", "size", "aspect_ratio", "duration", "extra_body"),
        *("extra_body.operation", "extra_body.input_video_seconds"),
    },
    "xai": {
        *("model", "prompt", "duration", "aspect_ratio", "resolution", "image", "image.url"),
        *("reference_images", "video", "video.url"),
    },
    "comfyrouter": {
        *("model", "prompt", "duration", "aspect_ratio", "resolution", "image", "image.url", "reference_images"),
    },
    "kie": {
        *("model", "input"),
        *(f"input.{name}" for name in ("prompt", "aspect_ratio", "duration", "resolution", "mode", "image_urls")),
    },
    "apimart": {"model", "prompt", "size", "duration", "quality", "image_urls"},
    "fal": {"prompt", "duration", "resolution", "aspect_ratio", "image_url"},
    "wavespeed": {"prompt", "duration", "resolution", "image", "images"},
}


def recorded(prefix: str) -> list[Any]:
    return [
        pytest.param(name, json.loads(file.read_text()), id=f"{name}-{file.stem}")
        for name in PROVIDERS
        for file in sorted((REPLIES / name).glob(f"{prefix}*.json"))
    ]


def as_reply(record: dict[str, Any]) -> Reply:
    body = b"" if record["body"] is None else json.dumps(record["body"]).encode()
    return Reply(record["http"], body, record.get("headers", {}), retry_after=7.0 if record["http"] == 429 else None)


every_provider = pytest.mark.parametrize("dialect", [pytest.param(one, id=name) for name, one in PROVIDERS.items()])
every_capability = pytest.mark.parametrize(
    ("dialect", "capability"),
    [
        pytest.param(dialect, capability, id=f"{name}-{capability.model}-{capability.mode.value}")
        for name, dialect in PROVIDERS.items()
        for capability in dialect.capabilities
    ],
)


def fullest(capability: Capability) -> VideoRequest:
    """A request that uses all that the capability offers."""
    return VideoRequest(
        mode=capability.mode,
        model=capability.model,
        prompt="a paper boat",
        aspect_ratio=(capability.aspect_ratios or (None,))[-1],
        resolution=(capability.resolutions or (None,))[-1],
        duration_seconds=capability.duration.longest if capability.duration else None,
        motion_mode=(capability.motion_modes or (None,))[-1],
        reference_images=IMAGES[: capability.max_images],
        source_video=VIDEO if capability.takes_video else None,
        source_seconds=8.0 if capability.takes_video else None,
        seed=7,
    )


def barest(capability: Capability) -> VideoRequest:
    """A request that leaves to the provider all that may be left."""
    needs_duration = capability.duration is not None and capability.duration.default is None
    return VideoRequest(
        mode=capability.mode,
        prompt="a paper boat" if capability.prompt_required else " ",
        duration_seconds=capability.duration.shortest if capability.duration and needs_duration else None,
        reference_images=IMAGES[: capability.min_images],
        source_video=VIDEO if capability.takes_video else None,
    )


def submit(dialect: Provider, request: VideoRequest) -> Call:
    dialect.check(request)
    urls = PublicUrls(tuple(str(image) for image in request.reference_images), VIDEO if request.source_video else None)
    return dialect.submit(request, urls)


@every_provider
def test_an_address_to_call_is_written_only_where_it_is_documented(dialect: Provider) -> None:
    address = "https://studio.example/grok_imagine/callback/token"
    for capability in dialect.capabilities:
        request = barest(capability)
        urls = PublicUrls(
            tuple(str(image) for image in request.reference_images), VIDEO if request.source_video else None
        )
        plain, asked = (
            dialect.submit(request, urls).body,
            dialect.submit(request, dataclasses.replace(urls, callback=address)).body,
        )
        assert plain is not None
        assert asked == ({**plain, "callback_url": address} if dialect.takes_callbacks else plain)
    assert dialect.takes_callbacks == (dialect.name == "aivideoapi")


def paths(body: dict[str, Any], above: str = "") -> set[str]:
    found = {above + name for name in body}
    for name, value in body.items():
        if isinstance(value, dict):
            found |= paths(value, f"{above}{name}.")
    return found


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for one in value.values() for leaf in leaves(one)] or [None]
    if isinstance(value, list):
        return [leaf for one in value for leaf in leaves(one)] or [None]
    return [value]


def test_names_are_unique_and_locked() -> None:
    # Journaled: an old job is resumed by this name. Never rename one.
    assert list(PROVIDERS) == [
        *("reapi", "aivideoapi", "apiinone", "openai_videos", "xai"),
        *("comfyrouter", "kie", "apimart", "fal", "wavespeed"),
    ]
    assert all(provider(name).name == name for name in PROVIDERS)
    for attribute in ("label", "key_variable"):
        assert len({getattr(one, attribute) for one in PROVIDERS.values()}) == len(PROVIDERS)
    with pytest.raises(KeyError):
        provider("nobody")


@every_provider
def test_tells_what_others_need_to_know(dialect: Provider) -> None:
    base = dialect.default_base_url
    assert base is None or (base.startswith("https://") and not base.endswith(("/", "/v1")))
    assert dialect.key_variable.isupper()
    assert dialect.result_lifetime_hours > 0
    assert dialect.capabilities
    assert dialect.__doc__
    assert (REPLIES / dialect.name).is_dir()
    for prefix in ("submit", "running", "done", "failed", "refused"):
        assert list((REPLIES / dialect.name).glob(f"{prefix}*.json")), prefix


@every_provider
def test_is_stateless(dialect: Provider) -> None:
    before = dict(vars(dialect))
    submit(dialect, barest(dialect.capabilities[0]))
    dialect.status(Reply(200, b'{"id": "t", "status": "running"}'))
    assert vars(dialect) == before


@every_provider
def test_offers_each_model_once_a_mode(dialect: Provider) -> None:
    offered = [(capability.model, capability.mode) for capability in dialect.capabilities]
    assert len(set(offered)) == len(offered)
    assert all(dataclasses.is_dataclass(capability) for capability in dialect.capabilities)


@every_capability
def test_capabilities_are_sound(dialect: Provider, capability: Capability) -> None:
    assert 0 <= capability.min_images <= capability.max_images <= 7
    assert (capability.min_images > 0) == (capability.mode in (Mode.IMAGE, Mode.REFERENCE))
    assert capability.takes_video == (capability.mode in (Mode.EDIT, Mode.EXTEND))
    assert capability.default_resolution in (None, *capability.resolutions)
    assert capability.default_aspect_ratio in (None, *capability.aspect_ratios)
    if capability.duration:
        assert capability.duration.shortest <= (capability.duration.default or 6) <= capability.duration.longest


@every_capability
@pytest.mark.parametrize("make", [fullest, barest])
def test_submit_is_strict(dialect: Provider, capability: Capability, make: Any) -> None:
    call = submit(dialect, make(capability))
    assert call.method == "POST"
    assert call.repeat is RetryPolicy.ONLY_IF_REFUSED
    assert call.authorized
    assert call.body is not None
    body = dict(call.body)
    assert json.loads(json.dumps(body)) == body
    assert paths(body) <= DOCUMENTED[dialect.name]
    assert all(leaf not in (None, "") for leaf in leaves(body))
    assert not any("Authorization" in name for name in call.headers)


@every_capability
def test_submit_says_the_model(dialect: Provider, capability: Capability) -> None:
    call = submit(dialect, fullest(capability))
    assert call.body is not None
    assert call.body.get("model") == capability.model or call.target.endswith(f"/{capability.model}")


@every_provider
def test_model_none_is_the_default(dialect: Provider) -> None:
    first = next(capability for capability in dialect.capabilities if capability.mode is Mode.TEXT)
    assert dialect.capability(VideoRequest(prompt="x")) is first


@every_provider
def test_poll_is_a_free_and_safe_read(dialect: Provider) -> None:
    call = dialect.poll("task/../x?y#z")
    assert (call.method, call.repeat, call.authorized, call.body) == ("GET", RetryPolicy.FREELY, True, None)
    assert "task%2F..%2Fx%3Fy%23z" in call.target
    for climbing in (".", "..", ""):
        with pytest.raises(errors.RequestError):
            dialect.poll(climbing)


@every_provider
def test_authorizes_without_touching_the_call(dialect: Provider) -> None:
    call = dialect.poll("abc")
    header, value = {"comfyrouter": ("X-API-Key", KEY), "fal": ("Authorization", f"Key {KEY}")}.get(
        dialect.name, ("Authorization", f"Bearer {KEY}")
    )
    assert dialect.authorize(call, KEY).headers[header] == value
    assert header not in call.headers


def test_only_the_gateway_has_a_file_of_its_own() -> None:
    calls = {name: dialect.content("task_1") for name, dialect in PROVIDERS.items()}
    gateway = calls.pop("openai_videos")
    assert gateway is not None
    assert (gateway.method, gateway.target, gateway.authorized) == ("GET", "/v1/videos/task_1/content", True)
    assert set(calls.values()) == {None}


@pytest.mark.parametrize(("name", "record"), recorded("submit"))
def test_reads_its_submit(name: str, record: dict[str, Any]) -> None:
    assert provider(name).task_id(as_reply(record)) == record["expect"]["task_id"]


@pytest.mark.parametrize(("name", "record"), [*recorded("queued"), *recorded("running")])
def test_reads_a_task_under_way(name: str, record: dict[str, Any]) -> None:
    status = provider(name).status(as_reply(record))
    assert status.phase is TaskPhase[record["expect"]["phase"]]
    assert status.percent == record["expect"].get("percent", status.percent)
    assert (status.video_url, status.error) == (None, None)


@pytest.mark.parametrize(("name", "record"), recorded("done"))
def test_reads_a_finished_task(name: str, record: dict[str, Any]) -> None:
    status = provider(name).status(as_reply(record))
    assert status.phase is TaskPhase.DONE
    assert status.video_url == record["expect"]["video_url"]
    assert status.error is None
    assert status.percent == record["expect"].get("percent", status.percent)


@pytest.mark.parametrize(("name", "record"), recorded("failed"))
def test_reads_a_failed_task(name: str, record: dict[str, Any]) -> None:
    status = provider(name).status(as_reply(record))
    expect = record["expect"]
    assert (status.phase, status.video_url) == (TaskPhase.FAILED, None)
    assert status.error is not None
    assert status.error.message
    assert (status.error.code, status.error.is_moderation) == (expect["code"], expect["moderation"])
    assert status.error.is_expired == expect.get("expired", False)


@pytest.mark.parametrize(("name", "record"), recorded("refused"))
def test_reads_a_refusal(name: str, record: dict[str, Any]) -> None:
    error = provider(name).refusal(as_reply(record))
    expect = record["expect"]
    assert type(error) is getattr(errors, expect["error"])
    assert (error.status, error.code, error.request_id) == (record["http"], expect["code"], expect["request_id"])
    if isinstance(error, errors.RateLimited):
        assert error.retry_after == 7.0


@every_provider
@pytest.mark.parametrize("body", [b"", b"{}", b'{"status":"processing"}', b"[]", b"<html>", b'{"data":null}'])
def test_a_submit_without_id_is_never_taken_for_a_refusal(dialect: Provider, body: bytes) -> None:
    with pytest.raises(errors.UnreadableReply, match=r"may exist and be\s+charged"):
        dialect.task_id(Reply(200, body))


@every_provider
def test_no_secret_survives_in_an_error(dialect: Provider) -> None:
    leak = "Bearer sk-verysecret1234 at https://cdn.example.com/a.mp4?X-Signature=abcdef"
    replies = [{"error": {"code": "x", "message": leak}}, {"error": leak}, {"message": leak, "code": leak}]
    for body in replies:
        said = str(dialect.refusal(Reply(400, json.dumps(body).encode())))
        assert "verysecret" not in said
        assert "abcdef" not in said
    status = dialect.status(
        Reply(200, json.dumps({"id": "a", "status": "failed", "error": {"message": leak}}).encode())
    )
    assert status.error is not None
    assert "verysecret" not in status.error.message
    with pytest.raises(errors.UnreadableReply) as caught:
        dialect.task_id(Reply(200, json.dumps({"oops": leak}).encode()))
    assert "verysecret" not in str(caught.value)
