"""The Jobs panel in a real browser: real jobs, real clips, the pack's own routes, in every supported front end."""

from __future__ import annotations

import asyncio
import json
import time
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from grok_imagine.journal.journal import Journal
from grok_imagine.models import Job, JobState

PANEL = ".giv-panel"


def prompt(text: str, seed: int = 0) -> dict[str, Any]:
    plain = {"model": "auto", "resolution": "auto", "aspect_ratio": "auto", "motion_mode": "auto", "seed": seed}
    one = {"connection": "sandbox-xai", "prompt": text, "duration": 1, **plain}
    return {"1": {"class_type": "GIVTextToVideo", "inputs": one}}


async def made(host: Any, text: str, seed: int = 0) -> None:
    """A clip, made as the page makes one."""
    graph = {"nodes": [], "links": [], "version": 0.4, "extra": {"mark": text}}
    body = {"prompt": prompt(text, seed), "client_id": "test", "extra_data": {"extra_pnginfo": {"workflow": graph}}}
    await asyncio.to_thread(host.ask, "/prompt", body)


async def journaled(host: Any, *jobs: dict[str, Any]) -> list[Job]:
    """Jobs, written into the host's journal as they are, the first one first."""
    plain = {"connection": "reapi", "provider": "reapi", "model": "grok-imagine-1.0-video", "mode": "text"}
    async with Journal(host.home) as journal:
        return [
            await journal.add(
                Job(
                    **{
                        "id": f"20261121-101500-{int(time.time() * 1e6) % 16**8:08x}",
                        "request": {"prompt": "a job", "resolution": "720p", "duration_seconds": 6},
                        "fingerprint": "",
                        **plain,
                        **one,
                    }
                )
            )
            for one in jobs
        ]


async def opened(page: Any, **settings: Any) -> Any:
    await page.open(**settings)
    await page.page.evaluate("() => window.app.extensionManager.command.execute('GrokImagineVideo.ShowJobs')")
    await page.page.wait_for_selector(f"{PANEL} .giv-list:not([hidden]), {PANEL} .giv-blank:not(:empty)")
    return page.page


async def emptied(host: Any) -> None:
    """No jobs in the list."""
    from sqlalchemy import delete

    from grok_imagine.journal.schema import events, jobs, ledger, shelved

    if (host.home / "journal.db").exists():
        async with Journal(host.home) as journal:
            await journal.transaction(lambda db: [db.execute(delete(one)) for one in (events, ledger, shelved, jobs)])


async def test_before_the_first_clip_it_says_how_to_begin(page: Any, host: Any) -> None:
    await emptied(host)
    shown = await opened(page)
    await shown.get_by_text("No clips yet").wait_for()
    await page.shot("panel-empty")


async def test_a_clip_appears_by_itself_plays_and_gives_its_workflow_back(page: Any, host: Any) -> None:
    await emptied(host)
    shown = await opened(page)
    await made(host, "a lighthouse in the rain", seed=int(time.time()))
    row = shown.locator(f"{PANEL} .giv-row", has_text="a lighthouse in the rain")
    await row.wait_for(timeout=20_000)
    await row.get_by_text("Done").wait_for(timeout=60_000)
    await row.locator("img").wait_for()
    await shown.wait_for_function("() => document.querySelector('.giv-thumb img')?.naturalWidth > 50")
    await page.shot("panel-live")
    await row.click()
    await shown.wait_for_function("() => document.querySelector('.giv-film video')?.readyState >= 1")
    await shown.get_by_role("button", name="Copy: Job ID").click()
    job = await shown.evaluate("() => navigator.clipboard.readText()")
    assert job == await shown.locator(".giv-facts code").first.inner_text()
    await shown.get_by_text("Compare prices").click()
    await shown.locator(".giv-prices tbody th").first.wait_for()
    assert await shown.locator(".giv-prices tbody th").all_inner_texts() == [
        "xai",
        "fal",
        "comfyrouter",
    ], "no other makes one second"
    await page.shot("panel-detail")
    await shown.get_by_role("button", name="Load frames").click()
    sources = "() => window.app.graph._nodes.map(n => [n.type, n.widgets?.find(w => w.name === 'source')?.value])"
    assert await shown.evaluate(sources) == [["GIVLoadVideoFrames", job]]
    await shown.get_by_role("button", name="Use these settings").click()
    await shown.wait_for_function("() => app.graph._nodes.length === 2")
    values = "() => Object.fromEntries(app.graph._nodes[1].widgets.map(one => [one.name, one.value]))"
    used = await shown.evaluate(values)
    wanted = {"connection": "sandbox-xai", "prompt": "a lighthouse in the rain", "duration": 1}
    assert {name: used[name] for name in wanted} == wanted
    await shown.get_by_role("button", name="Load frames").click()
    boxes = await shown.evaluate("() => app.graph._nodes.map(({pos, size}) => [...pos, ...size])")
    assert len(boxes) == 3
    for (x, y, w, h), (left, top, wide, high) in combinations(boxes, 2):
        assert x + w <= left or left + wide <= x or y + h <= top or top + high <= y, "none covers another"
    async with shown.expect_download() as download:
        await shown.get_by_role("link", name="Download").click()
    saved = await (await download.value).path()
    assert saved.read_bytes()[4:8] == b"ftyp"
    await shown.get_by_role("button", name="Open workflow").click()
    await shown.wait_for_function(
        "() => window.app.graph.extra?.mark === 'a lighthouse in the rain' || "
        "window.app.graph.serialize().extra?.mark === 'a lighthouse in the rain'"
    )
    await shown.keyboard.press("Escape")


async def test_a_row_is_dragged_into_the_graph(page: Any, host: Any) -> None:
    await emptied(host)
    await made(host, "dragged", seed=int(time.time()))
    shown = await opened(page)
    row = shown.locator(f"{PANEL} .giv-row", has_text="dragged")
    await row.get_by_text("Done").wait_for(timeout=60_000)
    await row.drag_to(shown.locator("#graph-canvas"), target_position={"x": 900, "y": 400}, force=True)
    await shown.wait_for_function("() => window.app.graph._nodes.length === 1")
    at = await shown.evaluate(
        "() => { const n = window.app.graph._nodes[0];"
        " return [n.type, ...window.app.canvasPosToClientPos([n.pos[0], n.pos[1]])] }"
    )
    canvas = await shown.locator("#graph-canvas").bounding_box()
    assert at[0] == "GIVLoadVideoFrames"
    assert abs(at[1] - canvas["x"] - 900) < 30
    assert abs(at[2] - canvas["y"] - 400) < 30


async def test_it_is_filtered_searched_and_used_by_keyboard(page: Any, host: Any) -> None:
    await emptied(host)
    failed = {"state": JobState.FAILED, "error": "moderation refused the prompt", "error_kind": "ContentRejected"}
    lost = {"state": JobState.SUBMITTING, "error_kind": "SubmitUncertain", "error": "no answer was recorded"}
    running = {"state": JobState.SUBMITTED, "task_id": "task-1"}
    await journaled(
        host,
        *({"request": {"prompt": f"waiting {number}"}, **running} for number in range(30)),
        {"request": {"prompt": "the refused one"}, **failed},
        {"request": {"prompt": "the lost one"}, **lost},
    )
    shown = await opened(page)
    rows = shown.locator(f"{PANEL} .giv-row:not(.giv-waiting)")
    await shown.get_by_role("button", name="Failed 1").click()
    await shown.wait_for_function("() => document.querySelectorAll('.giv-row').length === 1")
    assert "Refused by moderation" in await rows.first.inner_text()
    await shown.get_by_role("button", name="All 32").click()
    await shown.get_by_role("searchbox").fill("refused moderation")
    await shown.wait_for_function("() => document.querySelectorAll('.giv-row').length === 1")
    await shown.get_by_role("searchbox").fill("nothing like this")
    await shown.get_by_text("No matching jobs").wait_for()
    await shown.get_by_role("searchbox").fill("")
    await shown.get_by_text("the lost one").wait_for()
    before = await shown.evaluate("() => window.app.graph._nodes.length")
    await shown.locator(".giv-list").focus()
    for key in ("End", "ArrowUp", "Home", "ArrowDown", "Enter"):
        await shown.keyboard.press(key)
    await shown.get_by_role("button", name="All jobs").wait_for()
    assert await shown.locator(".giv-prompt").inner_text() == "the refused one"
    await shown.keyboard.press("Escape")
    focused = "() => document.activeElement.classList.contains('giv-list')"
    assert await shown.evaluate(focused), "Escape leads back to the list"
    assert await shown.evaluate("() => window.app.graph._nodes.length") == before


async def test_rows_of_one_prompt_can_be_told_apart(page: Any, host: Any) -> None:
    await emptied(host)
    estimate = {"estimate_usd": Decimal("0.054"), "estimate_credits": Decimal(54)}
    lighthouse = {"prompt": "a lighthouse", "duration_seconds": 6, "resolution": "480p"}
    failed = {"state": JobState.FAILED, "error": "HTTP 401", "error_kind": "AuthRejected"}
    refused = {"state": JobState.FAILED, "error_kind": "ContentRejected", "task_id": "t-1", "error": "violence"}
    await journaled(
        host,
        {"request": lighthouse, **failed, **estimate},
        {"request": {**lighthouse, "duration_seconds": 10}, "connection": "xai", **refused, "billed_usd": Decimal(0)},
        {"request": lighthouse, **refused, "billed_usd": Decimal("0.05")},
    )
    shown = await opened(page)
    await shown.locator(".giv-row .giv-text").nth(2).wait_for()
    rows = await shown.locator(".giv-row .giv-text").all_inner_texts()
    assert [row.split("\n")[1:] for row in rows] == [
        ["Refused by moderation", "reapi · 6 s · $0.05 · just now"],
        ["Refused by moderation", "xai · 10 s · not charged · just now"],
        ["The provider rejected the API key.", "reapi · 6 s · not charged · just now"],
    ]
    await page.shot("panel-rows")
    await shown.locator(".giv-row").nth(1).click()
    assert "$0.00" not in await shown.locator(".giv-facts").inner_text()


async def test_an_unknown_outcome_is_dealt_with_by_its_user(page: Any, host: Any) -> None:
    await emptied(host)
    lost = {"state": JobState.SUBMITTING, "error_kind": "SubmitUncertain", "error": "Outcome unknown: no answer came."}
    (job,) = await journaled(host, {"request": {"prompt": "sent into the dark"}, **lost})
    shown = await opened(page)
    await shown.get_by_text("sent into the dark").click()
    await shown.get_by_role("button", name="Submit again").click()
    await shown.get_by_role("dialog").get_by_text("you pay for both").wait_for()
    await page.shot("panel-again")
    await shown.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    await shown.get_by_role("button", name="Attach task ID").click()
    await shown.get_by_role("dialog").get_by_label("Task ID").fill("task-found-by-hand")
    await shown.get_by_role("dialog").get_by_role("button", name="Attach task ID").click()
    await shown.locator(".giv-detail .giv-state", has_text="Generating").wait_for()
    async with Journal(host.home) as journal:
        found = await journal.get(job.id)
        assert found is not None
        assert (found.state, found.task_id) == (JobState.SUBMITTED, "task-found-by-hand")


@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_a_finished_job_is_given_the_url_of_its_video(page: Any, host: Any, theme: str) -> None:
    await emptied(host)
    await made(host, "found", seed=int(time.time()))
    async with Journal(host.home) as journal:
        while not (done := [one for one in await journal.recent() if one.state is JobState.SAVED]):
            await asyncio.sleep(0.2)
    text = "xAI reports that the clip is finished, but its answer names no video that this pack can find."
    lost = {"state": JobState.SUCCEEDED, "task_id": "task-8", "error_kind": "ResultNotFetched", "error": text}
    there = {"connection": "sandbox-xai", "provider": "xai"}
    (job,) = await journaled(host, {"request": {"prompt": "finished, not found"}, **there, **lost})
    shown = await opened(page, Comfy_ColorPalette=theme)
    await shown.get_by_text("finished, not found").click()
    await shown.get_by_role("button", name="Enter video URL").wait_for()
    await page.shot(f"panel-url-{theme}")
    await shown.get_by_role("button", name="Enter video URL").click()
    await shown.get_by_role("dialog").get_by_label("Video URL").fill(str(done[0].result_url))
    await page.shot(f"panel-url-dialog-{theme}")
    await shown.get_by_role("dialog").get_by_role("button", name="Download again").click()
    await shown.locator(".giv-detail .giv-state", has_text="Done").wait_for()
    async with Journal(host.home) as journal:
        found = await journal.get(job.id)
        assert found is not None
        assert found.state is JobState.SAVED


async def test_a_job_is_removed_after_a_question(page: Any, host: Any) -> None:
    await emptied(host)
    await journaled(host, {"request": {"prompt": "to be removed"}, "state": JobState.FAILED, "error": "no"})
    shown = await opened(page)
    await shown.get_by_text("to be removed").click()
    await shown.get_by_role("button", name="Remove").click()
    await shown.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await shown.get_by_text("No clips yet").wait_for()


async def test_a_server_that_is_gone_is_told_and_asked_again(page: Any, host: Any) -> None:
    await emptied(host)
    await journaled(host, {"request": {"prompt": "still there"}, "state": JobState.FAILED})
    await page.open()
    shown = page.page
    await shown.route("**/grok_imagine/jobs?*", lambda route: route.abort())
    await shown.evaluate("() => window.app.extensionManager.command.execute('GrokImagineVideo.ShowJobs')")
    await shown.get_by_text("Can't reach ComfyUI").wait_for()
    await page.shot("panel-error")
    await shown.unroute("**/grok_imagine/jobs?*")
    await shown.get_by_role("button", name="Try again").click()
    await shown.get_by_text("still there").wait_for()


@pytest.mark.parametrize(("theme", "width"), [("dark", 1500), ("light", 1500), ("dark", 700)])
async def test_it_is_accessible_in_every_theme_and_width(
    page: Any, host: Any, axe: Path, theme: str, width: int
) -> None:
    await emptied(host)
    costs = {"estimate_usd": Decimal("0.054"), "estimate_credits": Decimal(54)}
    long = (
        "A slow dolly through a greenhouse at night, moths around a single bulb, condensation on the glass, 35 mm grain"
    )
    await journaled(
        host,
        {"request": {"prompt": "not sent yet"}, "state": JobState.PREPARED, **costs},
        {
            "request": {"prompt": "refused"},
            "state": JobState.FAILED,
            "error_kind": "ContentRejected",
            "error": "no",
            **costs,
        },
        {"request": {"prompt": "no answer"}, "state": JobState.SUBMITTING, "error_kind": "SubmitUncertain", **costs},
        {"request": {"prompt": "ready"}, "state": JobState.SUCCEEDED, "task_id": "t-9", **costs},
        {"request": {"prompt": long, "resolution": "720p"}, "state": JobState.SUBMITTED, "task_id": "task-77", **costs},
    )
    await page.page.set_viewport_size({"width": width, "height": 950})
    shown = await opened(page, Comfy_ColorPalette=theme)
    await shown.get_by_text("A slow dolly").wait_for()
    await page.shot(f"panel-{theme}-{width}")
    assert await _faults(shown, axe, PANEL) == []
    await shown.get_by_text("A slow dolly").click()
    await shown.locator(".giv-history").wait_for()
    await page.shot(f"panel-job-{theme}-{width}")
    assert await _faults(shown, axe, PANEL) == []


async def _faults(page: Any, axe: Path, within: str) -> list[Any]:
    """What axe-core finds serious or critical."""
    await page.evaluate(axe.read_text("utf-8"))
    found = await page.evaluate("within => axe.run(within, {resultTypes: ['violations']})", within)
    return [
        (
            one["id"],
            one["impact"],
            [json.dumps(node["target"]) + node.get("failureSummary", "") for node in one["nodes"]],
        )
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]
