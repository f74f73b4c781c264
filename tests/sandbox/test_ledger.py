"""Money: the published vectors, exact decimals, one charge for each accepted submit."""

from __future__ import annotations

from typing import Any

import pytest

R = {"model": "grok-imagine-1.0-video", "prompt": "x"}


def ai(seconds: int, tier: str) -> dict[str, Any]:
    return {"model": "grok-imagine-text-to-video", "input": {"prompt": "x", "duration": seconds, "resolution": tier}}


@pytest.mark.parametrize(
    ("dialect", "path", "body", "credits", "usd"),
    [
        ("reapi", "", {**R, "duration": 6}, "54", "0.054"),
        ("reapi", "", {**R, "duration": 30, "quality": "720p"}, "270", "0.270"),
        ("reapi", "", {**R, "duration": 7}, "63", "0.063"),
        ("aivideoapi", "", ai(6, "480p"), "14.4", "0.0720"),
        ("aivideoapi", "", ai(10, "480p"), "24.0", "0.1200"),
        ("aivideoapi", "", ai(7, "720p"), "31.5", "0.1575"),
        ("aivideoapi", "", ai(10, "720p"), "45.0", "0.2250"),
        ("apiinone", "", {"prompt": "x"}, "24", "0.24"),
        (
            "apiinone",
            "",
            {"model": "grok-imagine/image-to-video", "image_urls": ["http://127.0.0.1:9/a"]},
            "24",
            "0.24",
        ),
        ("xai", "", {"model": "grok-imagine-video", "prompt": "x", "duration": 6}, "0.300", "0.300"),
        (
            "xai",
            "",
            {
                "model": "grok-imagine-video",
                "prompt": "x",
                "duration": 6,
                "resolution": "720p",
                "reference_images": [{"url": "http://127.0.0.1:9/a"}] * 2,
            },
            "0.424",
            "0.424",
        ),
    ],
)
async def test_vectors(call: Any, dialect: str, path: str, body: Any, credits: str, usd: str) -> None:
    task = await call.submit(dialect, body)
    entry = call.sandbox.ledger()["entries"][0]
    assert (float(entry["credits"]), float(entry["usd"])) == (float(credits), float(usd))
    assert (entry["task"], entry["kind"], entry["dialect"]) == (task, "charge", dialect)


async def test_totals_and_accounts(call: Any) -> None:
    await call.submit("reapi")
    await call.post("reapi", key="rk_live_sandbox-two")
    await call.post("reapi", {})
    _, ledger = await call.control("ledger")
    assert len({entry["account"] for entry in ledger["entries"]}) == 2
    assert "sandbox" not in str(ledger["entries"])
    assert (ledger["submits"], ledger["posts"], ledger["totals"]["reapi"]) == (2, 3, {"credits": "108", "usd": "0.108"})


async def test_exact_sums(call: Any) -> None:
    """Thirty times 2.4 credits a second is exact, which floats would not be."""
    for seconds in range(6, 31):
        await call.post("aivideoapi", ai(seconds, "480p"))
    assert call.sandbox.ledger()["totals"]["aivideoapi"] == {"credits": "1080.0", "usd": "5.4000"}


async def test_balance(call: Any) -> None:
    async def balance() -> Any:
        url = call.sandbox.base("aivideoapi") + "/v1/credits"
        async with call.http.get(url, headers=call.headers("aivideoapi")) as reply:
            return (await reply.json())["data"]

    before = await balance()
    task = await call.submit("aivideoapi", fault="failed")
    assert (await balance())["balance"] == before["balance"] - 14.4
    await call.finish("aivideoapi", task)
    assert await balance() == before


async def test_polls_cost_nothing(call: Any) -> None:
    task = await call.submit("reapi")
    for _ in range(5):
        await call.poll("reapi", task)
    assert len(call.sandbox.ledger()["entries"]) == 1


async def test_the_request_log_holds_no_key(call: Any) -> None:
    await call.post("reapi", key="rk_live_sandbox-very-secret")
    await call.clip("xai")
    _, log = await call.control("requests")
    assert "secret" not in str(log)
    assert "signature" not in str(log)
    first = log["requests"][0]
    assert (first["method"], first["path"], first["authorization"], first["status"]) == (
        "POST",
        "/reapi/api/v1/videos/generations",
        True,
        200,
    )
    assert first["body"] == call.bodies["reapi"]


async def test_reset(call: Any) -> None:
    task = await call.submit("reapi")
    assert (await call.control("reset", {}))[0] == 200
    ledger = call.sandbox.ledger()
    assert (ledger["entries"], ledger["posts"]) == ([], 0)
    assert (await call.poll("reapi", task))[0] == 404
    assert await call.finish("reapi", await call.submit("reapi"))
