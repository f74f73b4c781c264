"""What the page is told of a node's values, over real HTTP: violations, fixes, choices, price, and nothing of a key."""

from __future__ import annotations

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

HEADERS = {"X-Grok-Imagine": "1"}
PLAIN = {"connection": "reapi", "model": "auto", "prompt": "a kite", "resolution": "auto", "aspect_ratio": "auto",
         "duration": 6, "motion_mode": "auto"}  # fmt: skip


@pytest.fixture
async def ask(serve: Any, part: Any) -> Any:
    url = await serve(part("nodes.routes.quote").register) + "/quote"

    async def post(nodes: Any, status: int = 200) -> Any:
        async with (
            aiohttp.ClientSession() as client,
            client.post(url, json={"nodes": nodes}, headers=HEADERS) as answer,
        ):
            assert answer.status == status, await answer.text()
            return await answer.json()

    return post


@pytest.fixture
def quote(ask: Any) -> Any:
    """The quote of one Text to Video, or of another node, with some values changed; None takes a value away."""

    async def one(node: str = "GIVTextToVideo", images: int = 0, is_exact: bool = True, **changes: Any) -> Any:
        values = {name: value for name, value in {**PLAIN, **changes}.items() if value is not None}
        sent = {"node": node, "values": values, "images": images, "is_exact": is_exact}
        return (await ask([sent]))["quotes"][0]

    return one


def faults(quoted: Any) -> dict[str, str]:
    return {one["field"]: one["reason"] for one in quoted["violations"] if one["reason"] != "no_key"}


async def test_a_fitting_request_has_choices_and_a_price(quote: Any, home: Path) -> None:
    found = await quote()
    assert faults(found) == {}
    assert (found["provider"], found["is_sandbox"], found["mode"]) == ("reAPI", False, "text_to_video")
    assert found["choices"]["resolution"] == ["480p", "720p"]
    assert found["choices"]["duration"] == [0, 30]
    price = {"clips": None, "is_free": False, "provider": "reAPI", "usd": "0.054", "credits": "54"}
    assert found["price"] == price
    assert (await quote(connection="sandbox"))["price"] == {**price, "is_free": True}
    assert (await quote(connection="kie"))["price"]["usd"] is None, "no published price"
    assert found["usual"] is None
    assert not home.exists(), "looking writes nothing"


async def test_what_the_engine_refuses_is_a_violation_with_its_fix(quote: Any) -> None:
    found = await quote(connection="xai", resolution="1080p", duration=25)
    said = {one["field"]: one for one in found["violations"] if not one["is_warning"]}
    assert {name: one["reason"] for name, one in said.items()} == {
        "resolution": "not_offered",
        "duration": "duration_span",
    }
    assert said["resolution"]["fixes"][0] == {"field": "model", "value": "grok-imagine-video-1.5"}
    assert said["resolution"]["fixes"][1] == {"field": "model", "value": "grok-imagine-video-1.5-lite"}
    assert said["resolution"]["fixes"][2] == {"field": "resolution", "value": "auto"}
    assert said["duration"]["fixes"] == [{"field": "duration", "value": 15}]
    assert said["duration"]["values"] == {"least": 1, "most": 15, "value": 25}
    assert "1 to 15" in said["duration"]["message"], "in English, for what has no sentence of its own"
    fixed = await quote(connection="apiinone", duration=6)
    assert [one["fixes"] for one in fixed["violations"] if one["field"] == "duration"] == [
        [{"field": "duration", "value": 0}]
    ]


async def test_each_violation_is_the_engines(quote: Any, part: Any) -> None:
    """For many values, the fields that are refused are those that a run would be refused for."""
    providers, inputs = part("grok_imagine.providers").PROVIDERS, part("nodes.common.generate")
    error = part("grok_imagine.errors").RequestError
    values = itertools.product(("auto", "1080p"), ("auto", "21:9"), (0, 6, 31), ("auto", "spicy"), (" ", "@image2"))
    names = {"duration_seconds": "duration", "reference_images": "images"}
    for (name, provider), (resolution, ratio, duration, motion, prompt) in itertools.product(providers.items(), values):
        chosen = {"resolution": resolution, "aspect_ratio": ratio, "duration": duration, "motion_mode": motion}
        request = inputs.build_request(model="auto", prompt=prompt, seed=0, **chosen)
        try:
            provider.check(request)
            refused = set()
        except error as refusal:
            refused = {names.get(one.field, one.field) for one in refusal.violations if not one.is_warning}
        connection = "sandbox" if name == "reapi" else f"sandbox-{name}"
        found = await quote(connection=connection, prompt=prompt, **chosen)
        assert {one["field"] for one in found["violations"] if not one["is_warning"]} == refused, (name, chosen)


async def test_a_linked_value_is_not_judged(quote: Any) -> None:
    assert faults(await quote(prompt="")) == {"prompt": "prompt_needed"}
    assert faults(await quote(prompt=None)) == {}
    assert (await quote(duration=None))["price"] is None, "the length decides the price"
    assert (await quote(connection=None))["price"] is None
    assert faults(await quote(connection=None)) == {}


async def test_images_are_counted(quote: Any) -> None:
    node = "GIVImageToVideo"
    values = {"connection": "sandbox-aivideoapi", "mode": "auto", "image_urls": ""}
    assert faults(await quote(node, **values)) == {"images": "images_few"}
    assert faults(await quote(node, images=1, **values)) == {}
    lost = {**values, "prompt": "@image3 walks"}
    (one,) = (await quote(node, images=2, **lost))["violations"]
    assert (one["reason"], one["values"]["token"], one["is_warning"]) == ("token_lost", "@image3", False)
    (one,) = (await quote(node, images=2, is_exact=False, **lost))["violations"]
    assert one["is_warning"], "a batch may hold more than one image"
    urls = {**lost, "image_urls": "https://example.com/a.png"}
    assert faults(await quote(node, images=2, **urls)) == {}
    found = await quote(node, images=1, **{**values, "image_urls": "http://127.0.0.1/a.png"})
    (one,) = found["violations"]
    assert (one["field"], one["reason"]) == ("images", "")
    assert "URL 2" in one["message"]


async def test_a_mode_that_is_not_offered_names_the_connections_that_offer_it(quote: Any) -> None:
    found = await quote("GIVEditVideo", connection="sandbox", duration=None, aspect_ratio=None, motion_mode=None)
    (one,) = found["violations"]
    assert (one["field"], one["reason"]) == ("connection", "no_mode")
    assert {"field": "connection", "value": "sandbox-xai"} in one["fixes"]
    assert {"field": "connection", "value": "xai"} not in one["fixes"], "it has no key"


async def test_connections_are_told_without_their_keys(ask: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAPI_API_KEY", "rk_live_MARKER1")
    home.mkdir(parents=True)
    stated = {"dialect": "openai_videos", "base_url": "https://gateway.example/MARKER2", "api_key": "sk-MARKER3"}
    (home / "settings.json").write_text(json.dumps({"connections": {"studio": stated}}))
    names = ("reapi", "studio", "xai", "nowhere")
    told = await ask([{"node": "GIVTextToVideo", "values": {**PLAIN, "connection": name}} for name in names])
    assert "MARKER" not in json.dumps(told)
    assert told["connections"][0] == "sandbox"
    assert "studio" in told["connections"]
    reasons = [[one["reason"] for one in quoted["violations"]] for quoted in told["quotes"]]
    assert reasons[:3] == [[], [], ["no_key"]]
    assert reasons[3] == ["no_connection"]
    assert {"field": "connection", "value": "studio"} in told["quotes"][3]["violations"][0]["fixes"]


async def test_invalid_settings_leave_what_needs_none(ask: Any, home: Path) -> None:
    home.mkdir(parents=True)
    (home / "settings.json").write_text("{")
    told = await ask([{"node": "GIVTextToVideo", "values": PLAIN}])
    assert "sandbox" in told["connections"]
    assert told["quotes"][0]["price"]["usd"] == "0.054"


async def test_the_price_of_a_batch_is_the_sum_of_its_rows(quote: Any, part: Any) -> None:
    batch: dict[str, Any] = {"node": "GIVBatch", "prompt": None}
    assert (await quote(**batch, rows=""))["price"]["clips"] == 0
    rows = 'a kite\n{"prompt": "a boat", "duration": 10}\n\na tree'
    price = (await quote(**batch, rows=rows))["price"]
    assert (price["clips"], price["usd"], price["credits"]) == (3, "0.198", "198")
    two = 'a kite\n{"prompt": "a boat", "connection": "aivideoapi", "resolution": "480p"}'
    price = (await quote(**batch, rows=two))["price"]
    assert (price["clips"], price["usd"], price["credits"]) == (2, "0.129", None), "two providers' credits do not add"
    price = (await quote(**batch, rows='prompt,seconds\n"a, b",10\nc,\n'))["price"]
    assert (price["clips"], price["usd"]) == (2, "0.144")
    assert (await quote(**batch, rows='{"prompt": "x'))["price"] is None, "still being written"
    assert (await quote(**batch, rows='{"prompt": "x", "connection": "nowhere"}'))["price"] is None
    many = "\n".join(f"a kite, number {number}" for number in range(10_000))
    assert (await quote(**batch, rows=many))["price"]["usd"] == "540"


async def test_the_price_of_a_continued_video_is_that_of_its_segments(quote: Any) -> None:
    node: dict[str, Any] = {"node": "GIVContinueVideo", "prompt": None, "aspect_ratio": None, "how": "auto"}
    price = (await quote(**node, prompts="on it goes\nand on\n\n"))["price"]
    assert (price["clips"], price["usd"]) == (2, "0.108")
    assert (await quote(**node, prompts="on", connection="xai"))["price"]["usd"] is None
    assert (await quote(**node, prompts=""))["price"]["clips"] == 0


async def test_the_price_of_a_film_is_that_of_its_takes(quote: Any) -> None:
    film: dict[str, Any] = {"node": "GIVFilm", "prompt": None, "draft": False, "connection": "reapi"}
    price = (await quote(**film, shots="# one\na kite\n[continue, 10s] it turns\n[take 2 of 3] a boat"))["price"]
    assert (price["clips"], price["usd"], price["is_free"]) == (5, "0.306", False)
    assert (await quote(**{**film, "draft": True}, shots="a kite"))["price"]["is_free"] is True
    assert (await quote(**film, shots=""))["price"]["clips"] == 0
    assert (await quote(**film, shots="[wide] a kite"))["price"] is None, "still being written"
    price = (await quote(**{**film, "connection": "aivideoapi", "resolution": "480p"}, shots="a\n[continue] b"))[
        "price"
    ]
    assert (price["clips"], price["usd"]) == (2, "0.15")


async def test_an_assumed_price_counts(quote: Any, home: Path) -> None:
    home.mkdir(parents=True)
    stated = {"api_key": "xai-MARKER-4242424242", "assumed_usd_per_second": "0.05"}
    (home / "settings.json").write_text(json.dumps({"connections": {"xai": stated}}))
    assert (await quote(connection="xai"))["price"]["usd"] == "0.3"


async def test_usual_times_come_from_the_jobs_that_were_made(quote: Any, run: Any) -> None:
    await run("GIVTextToVideo", connection="sandbox-xai", prompt="a kite", duration=1)
    await run("GIVTextToVideo", connection="sandbox-xai", prompt="another kite", duration=1)
    found = (await quote(connection="sandbox-xai", duration=1))["usual"]
    assert (found["connection"], found["mode"], found["count"]) == ("sandbox-xai", "text_to_video", 2)
    assert 0 < found["low"] <= found["median"] <= found["high"]
    assert (await quote(connection="sandbox"))["usual"] is None
    assert (await quote("GIVWaitForTask", connection="sandbox-xai"))["usual"] == found
    for node in ("GIVUploadMedia", "GIVBatch", "GIVContinueVideo", "GIVFilm"):
        assert (await quote(node, connection="sandbox-xai"))["usual"] is None, "it makes no clip, or several"


@pytest.mark.parametrize(
    "nodes", [None, {}, [{}], ["x"], [{"node": "GIVTextToVideo", "values": 7}], [{"node": "x"}] * 501]
)
async def test_anything_else_is_refused(ask: Any, nodes: Any) -> None:
    await ask(nodes, status=400)


@pytest.mark.parametrize("wrong", [{"duration": "long"}, {"prompt": 7}, {"mode": "dance"}, {"connection": 7}])
async def test_wrong_types_break_nothing(quote: Any, wrong: dict[str, Any]) -> None:
    assert "violations" in await quote(**wrong)


async def test_comfyuis_loop_stays_free(ask: Any) -> None:
    """The longest list that is taken is quoted while the loop of the server goes on."""
    rows = "\n".join(f'{{"prompt": "{number}", "duration": {6 + number % 25}}}' for number in range(5500))
    longest, stop = 0.0, asyncio.Event()

    async def watch() -> None:
        nonlocal longest
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            before = loop.time()
            await asyncio.sleep(0.005)
            longest = max(longest, loop.time() - before)

    watching = asyncio.create_task(watch())
    node = {"node": "GIVBatch", "values": {**PLAIN, "rows": rows}}
    (found,) = (await ask([node]))["quotes"]
    stop.set()
    await watching
    assert found["price"]["clips"] == 5500
    assert longest < 0.5
