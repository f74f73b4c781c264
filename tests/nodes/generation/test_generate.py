"""Making clips: from widgets to a file, what is sent, what is refused, and what is paid once."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import av
import pytest
import torch
from PIL import Image

SHORT = {"connection": "sandbox-xai", "duration": 1}
"""The quickest clip: 24 frames."""


def _image(count: int = 1, colour: float = 0.5) -> torch.Tensor:
    return torch.full((count, 72, 128, 3), colour)


def _bodies(sandbox: Any) -> list[dict[str, Any]]:
    return [one["body"] for one in sandbox.requests if one["method"] == "POST"]


async def test_a_prompt_becomes_a_clip(run: Any, sandbox: Any, host: Any, home: Path) -> None:
    prompt = "Ein Fuchs — 狐 «🦊»\nsprings"
    video, job_id, task_id, url, info = await run(
        "GIVTextToVideo", "12:3", **SHORT, prompt=prompt, aspect_ratio="9:16", seed=7
    )
    assert Path(video.get_stream_source()) == home / "results" / f"{job_id}.mp4"
    assert Path(video.get_stream_source()).read_bytes()[4:8] == b"ftyp"
    told = json.loads(info)
    assert (told["prompt"], told["seed"], told["mode"]) == (prompt, 7, "text_to_video")
    assert (told["job_id"], told["task_id"], told["file"]) == (job_id, task_id, video.get_stream_source())
    assert told["parameters"] == {"aspect_ratio": "9:16", "duration_seconds": 1}
    assert told["cost"]["is_estimate"] is False
    assert told["times"]["seconds"] > 0
    assert url.startswith(told["url"] + "?")
    assert "signature" not in info
    assert _bodies(sandbox)[0]["prompt"] == prompt
    assert {node for _, node, _ in host.texts} == {"12:3"}
    assert any(text.startswith("Generating") for _, _, text in host.texts)


async def test_auto_sends_nothing_and_the_price_is_shown(run: Any, sandbox: Any, host: Any) -> None:
    result = await run("GIVTextToVideo", prompt="a kite", duration=0)
    assert _bodies(sandbox) == [{"model": "grok-imagine-1.0-video", "prompt": "a kite"}]
    assert json.loads(result[4])["cost"] == {"usd": 0.054, "credits": 54.0, "is_estimate": True}
    texts = [text for _, _, text in host.texts]
    assert texts[0] == "Starting"
    assert all("54 credits ($0.054)" in text for text in texts[1:])


@pytest.mark.held
async def test_the_bar_follows_the_providers_percentage(run: Any, host: Any, sandbox: Any) -> None:
    making = asyncio.ensure_future(
        run("GIVTextToVideo", connection="sandbox-openai_videos", prompt="a kite", duration=1)
    )
    for shown in (1, 2):  # the bar moves on with each part of the ten seconds
        while not making.done() and not sandbox.submits:
            await asyncio.sleep(0.05)
        sandbox.wind(4)
        while not making.done() and len(host.bars) < shown:
            await asyncio.sleep(0.05)
    assert [round(share, 2) for _, share in host.bars] == [0.36, 0.72]  # nine tenths of the bar are the provider's
    sandbox.wind(60)
    await making
    assert host.bars == sorted(host.bars)
    assert all(0 < share <= 1 for _, share in host.bars)


async def test_no_note_is_lost_in_a_throng_of_texts(part: Any, host: Any) -> None:
    node_progress, progress = part("nodes.host.progress"), part("grok_imagine.jobs.progress")
    models = part("grok_imagine.models")
    job = models.Job("j", models.JobState.SUBMITTING, "sandbox", "reapi", "m", "text_to_video", {}, "f")
    host.texts.clear()
    shown = node_progress.NodeProgress("7")

    def update(step: str, percent: float | None = None, note: str = "") -> None:
        shown.update(progress.ProgressUpdate(job, step, 0.0, percent, note, None, False))

    update("submitting")
    update("submitting", note="not accepted yet (slow down); again in 300 s")
    for percent in range(50):
        update("generating", percent)
    texts = [text for _, _, text in host.texts]
    assert texts[:2] == ["Submitting · 0:00", "Submitting · 0:00 · not accepted yet (slow down); again in 300 s"]
    assert texts[2] == "Generating 0 % · 0:00"
    assert len(texts) < 20, "what comes thick and fast is held back"
    shown.show_text()
    assert host.texts[-1][2] == "Generating 49 % · 0:00", "and its last is shown"


async def test_the_same_wish_is_paid_once(run: Any, sandbox: Any) -> None:
    first = await run("GIVTextToVideo", "1", **SHORT, prompt="a kite")
    again = await run("GIVTextToVideo", "1", **SHORT, prompt="a kite")
    assert again[1] == first[1]
    assert json.loads(again[4])["is_reused"] is True
    assert sandbox.submits == 1
    for node_id in ("2", "1:2", "9:1:2"):  # a copy in another graph, in a subgraph, in a subgraph of that
        assert (await run("GIVTextToVideo", node_id, **SHORT, prompt="a kite"))[1] == first[1]
    assert sandbox.submits == 1, "an equal node is the same clip"
    await run("GIVTextToVideo", "1", **SHORT, prompt="a kite", seed=1)
    assert sandbox.submits == 2, "a new seed is a new clip"


async def test_two_equal_nodes_of_a_graph_are_one_clip_unless_their_seeds_differ(run: Any, sandbox: Any) -> None:
    one, two, other = await asyncio.gather(
        *(run("GIVTextToVideo", str(n), **SHORT, prompt="a kite", seed=n // 2) for n in range(3))
    )
    assert one[1] == two[1] != other[1]
    assert sandbox.submits == 2


async def test_every_image_of_every_batch_counts_in_order(run: Any, sandbox: Any) -> None:
    data = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(data, "PNG")
    online = sandbox.ask("/_sandbox/uploads", data.getvalue(), **{"Content-Type": "image/png"})["url"]
    before = sandbox.uploads
    batch = torch.cat([_image(1, 0.1), _image(1, 0.9)])
    result = await run(
        "GIVImageToVideo", prompt="", image_1=batch, image_3=_image(1, 0.4), image_urls=f"\n  {online}\n\n"
    )
    urls = _bodies(sandbox)[0]["image_urls"]
    assert len(urls) == 4
    assert urls[3] == online
    assert len(set(urls)) == 4
    assert sandbox.uploads - before == 3
    told = json.loads(result[4])
    assert told["mode"] == "image_to_video"
    assert [name[:7] for name in told["parameters"]["reference_images"][:3]] == ["sha256:"] * 3


@pytest.mark.parametrize("shape", [(0, 72, 128, 3), (1, 0, 128, 3), (1, 72, 128, 0), (0, 0, 0, 0)])
@pytest.mark.parametrize(
    ("node", "given"),
    [
        ("GIVImageToVideo", {"prompt": "go", "image_1": None}),
        ("GIVImageToVideo", {"prompt": "go", "image_1": None, "mode": "reference_to_video"}),
        ("GIVImageToVideo", {"prompt": "go", "image_1": _image(), "image_2": None}),
        ("GIVImageToVideo", {"prompt": "go", "image_2": None, "image_urls": "https://example.com/a.png"}),
        ("GIVImageToVideo", {"prompt": "go", "image_1": None, "fallbacks": "sandbox-xai"}),
        ("GIVBatch", {"connection": ["sandbox"], "rows": ["go"], "images": [None]}),
        ("GIVBatch", {"connection": ["sandbox"], "rows": ["go\nstop"], "images": [_image(), None, _image()]}),
        ("GIVUploadMedia", {"image": None}),
    ],
)
async def test_an_empty_image_batch_is_refused_before_anything_is_sent(
    run: Any, sandbox: Any, part: Any, node: str, given: dict[str, Any], shape: tuple[int, ...]
) -> None:
    empty = torch.zeros(shape)
    full = {
        name: [empty if one is None else one for one in value] if isinstance(value, list) else value
        for name, value in given.items()
    }
    full = {name: empty if value is None else value for name, value in full.items()}
    before = sandbox.uploads
    with pytest.raises(part("grok_imagine.errors").RequestError, match=r"batch is empty .*Nothing was sent or charged"):
        await run(node, **full)
    assert (sandbox.submits, sandbox.uploads) == (0, before)


async def test_the_mode_follows_the_number_of_images(run: Any, sandbox: Any) -> None:
    one = await run("GIVImageToVideo", **SHORT, prompt="go", image_1=_image())
    several = await run("GIVImageToVideo", **SHORT, prompt="go", image_1=_image(3))
    asked = await run("GIVImageToVideo", **SHORT, prompt="go", image_2=_image(), mode="reference_to_video")
    modes = [json.loads(result[4])["mode"] for result in (one, several, asked)]
    assert modes == ["image_to_video", "reference_to_video", "reference_to_video"]


async def test_more_than_seven_is_one_clear_error_before_anything_is_uploaded(
    run: Any, sandbox: Any, part: Any, monkeypatch: Any
) -> None:
    def never(_pixels: Any) -> None:
        raise AssertionError("encoded, though the number was wrong")

    monkeypatch.setattr(part("grok_imagine.media.images.encode"), "encode_image", never)
    for connection in ("sandbox", "sandbox-aivideoapi", "sandbox-apiinone", "sandbox-openai_videos", "sandbox-xai"):
        with pytest.raises(part("grok_imagine.errors").RequestError) as caught:
            await run(
                "GIVImageToVideo",
                connection=connection,
                duration=6 if connection != "sandbox-apiinone" else 0,
                prompt="go",
                image_1=_image(5),
                image_2=_image(2),
                image_urls="https://example.com/eighth.png",
            )
        assert "at most 7" in str(caught.value)
        assert "got 8" in str(caught.value)
        assert len(caught.value.violations) == 1
    assert sandbox.submits == sandbox.uploads == 0


async def test_an_error_names_every_fault(run: Any, sandbox: Any, part: Any) -> None:
    with pytest.raises(part("grok_imagine.errors").RequestError) as caught:
        await run(
            "GIVTextToVideo",
            prompt=" ",
            duration=2,
            aspect_ratio="4:3",
            resolution="1080p",
            motion_mode="fun",
            model="grok-imagine-video",
        )
    assert {one.field for one in caught.value.violations} == {
        "prompt",
        "duration_seconds",
        "aspect_ratio",
        "resolution",
        "motion_mode",
        "model",
    }
    assert all(str(one) in str(caught.value) for one in caught.value.violations)
    assert "nothing was sent or charged" in str(caught.value)
    assert sandbox.submits == 0


async def test_no_image_and_no_key_are_named(run: Any, part: Any) -> None:
    errors = part("grok_imagine.errors")
    with pytest.raises(errors.RequestError, match="connect an image"):
        await run("GIVImageToVideo", prompt="go")
    with pytest.raises(errors.MissingKey, match="REAPI_API_KEY"):
        await run("GIVTextToVideo", connection="reapi", prompt="go")
    with pytest.raises(errors.SettingsError, match=r"no connection 'studio'.*sandbox, "):
        await run("GIVTextToVideo", connection="studio", prompt="go")


async def test_what_the_provider_says_is_told_whole(run: Any, part: Any) -> None:
    errors = part("grok_imagine.errors")
    with pytest.raises(errors.ContentRejected, match=r"job .*, task "):
        await run("GIVTextToVideo", **SHORT, prompt="a kite [sandbox:moderated]")
    with pytest.raises(errors.OutOfCredit):
        await run("GIVTextToVideo", prompt="a kite [sandbox:402]")


async def test_a_host_that_cannot_show_progress_does_not_end_a_paid_job(run: Any, host: Any, monkeypatch: Any) -> None:
    def broken(*_arguments: Any) -> None:
        raise RuntimeError("no client")

    monkeypatch.setattr(host, "send_progress_text", broken)
    monkeypatch.setattr(host, "set_progress", broken)
    assert (await run("GIVTextToVideo", **SHORT, prompt="a kite"))[1]


async def test_a_page_that_wants_the_prompts_id_first_gets_it(run: Any, host: Any, part: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(part("nodes.host.execution"), "prompt_id", lambda: "prompt")
    host.sockets_metadata["page"] = {"feature_flags": {"supports_progress_text_metadata": True}}
    await run("GIVTextToVideo", "12", **SHORT, prompt="a kite")
    assert (3, b"\0\0\0\6prompt\0\0\0\x0212Starting", "page") in host.sent
    assert len([event for event, *_ in host.sent if event == 3]) == len(host.texts)


async def test_nothing_of_the_prompt_is_in_a_clip_where_metadata_is_disabled(
    run: Any, part: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ComfyUI is started with --disable-metadata; clips of before, too, since Save Video copies what they say."""
    from comfy.cli_args import args

    wish = {"prompt": "an unmistakable lantern", **SHORT}
    before = await run("GIVTextToVideo", **wish)
    stamped = Path(before[0].get_stream_source())
    assert b"unmistakable" in stamped.read_bytes()
    bridge = part("nodes.host.execution")
    bridge._runtime.close()
    bridge._runtime = None
    monkeypatch.setattr(args, "disable_metadata", True)
    fresh = await run("GIVTextToVideo", **wish, seed=7)
    reused = await run("GIVTextToVideo", **wish)
    assert reused[1] == before[1]
    for made in (fresh, reused):
        file = Path(made[0].get_stream_source())
        assert b"unmistakable" not in file.read_bytes()
        assert made[2].encode() not in file.read_bytes()
        with av.open(str(file)) as clip:
            assert not {"grok_imagine", "description"} & set(clip.metadata)
            assert sum(1 for _ in clip.decode(video=0)) == 24
    assert b"unmistakable" in stamped.read_bytes(), "the result itself is left as it is"
