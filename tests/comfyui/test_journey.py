"""A user's way through a real ComfyUI: find the node, set it up, run, watch, see the clip, find it again, resume."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.comfyui, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(params=["canvas", "vue"])
async def page(request: pytest.FixtureRequest, comfy: Any, wait_until_ready: Any) -> AsyncIterator[Any]:
    """An open page with an empty graph, in ComfyUI's canvas or in its Nodes 2.0."""
    driver = pytest.importorskip("playwright.async_api")
    if not CHROMIUM.exists():
        pytest.skip("there is no /usr/bin/chromium")
    plain = {
        "Comfy.TutorialCompleted": True,  # else its dialog covers the page
        "Comfy.VueNodes.Enabled": request.param == "vue",
        "Comfy.Release.Status": "skipped",
        "Comfy.Locale": "en",
    }
    for name, value in plain.items():
        comfy.post(f"/settings/{name}", value)
    async with driver.async_playwright() as play:
        browser = await play.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        opened = await browser.new_page(viewport={"width": 1600, "height": 950})
        opened.world = request.param
        await opened.goto(comfy.url, wait_until="domcontentloaded")
        await wait_until_ready(opened)
        await opened.evaluate("() => app.graph.clear()")
        yield opened
        await browser.close()


async def shot(page: Any, name: str) -> None:
    (ROOT / "artifacts").mkdir(exist_ok=True)
    await page.screenshot(path=str(ROOT / "artifacts" / f"journey-{name}-{page.world}.png"))


async def find(page: Any, words: str, title: str, x: int, y: int) -> Any:
    """Add a node as a user does: double-click, type, choose. Returns its id."""
    bare = "([x, y]) => document.elementFromPoint(x, y)?.id === 'graph-canvas'"
    await page.wait_for_function(bare, arg=[x, y], timeout=30_000)  # ComfyUI's splash covers it at first
    await page.mouse.dblclick(x, y)
    await page.wait_for_function("() => ['INPUT'].includes(document.activeElement?.tagName)", timeout=30_000)
    await page.keyboard.type(words, delay=20)
    option = page.locator("[role=option], [data-testid=result-item], .option-container").filter(has_text=title).first
    await option.wait_for(timeout=30_000)
    await shot(page, f"search-{title.split()[0].lower()}")
    await option.click()
    await page.wait_for_function("words => app.graph._nodes.some(node => node.title === words)", arg=title)
    # Newer front ends let the node hang at the pointer until it is put down.
    for _ in range(40):
        await page.mouse.move(x + 10, y + 10, steps=3)
        await page.mouse.click(x + 10, y + 10)
        await page.wait_for_timeout(500)
        if not await page.evaluate("() => app.graph._nodes.some(node => node.flags.ghost)"):
            break
    assert not await page.evaluate("() => app.graph._nodes.some(node => node.flags.ghost)"), "it still hangs there"
    return await page.evaluate("words => app.graph._nodes.find(node => node.title === words).id", title)


async def show_jobs(page: Any) -> Any:
    """The Jobs panel, opened by its tab in the sidebar."""
    if not await page.locator(".giv-panel").count():
        await page.locator(".grok-imagine-jobs-tab-button").click()
    panel = page.locator(".giv-panel")
    await panel.wait_for()
    return panel


FACE = "id => app.graph.getNodeById(id).widgets.find(one => one.name === 'grok_status').element"


async def until(page: Any, number: Any, words: str, timeout: int = 60_000) -> None:
    """Wait for words in the node's face."""
    script = f"([id, words]) => ({FACE})(id).textContent.includes(words)"
    await page.wait_for_function(script, arg=[number, words], timeout=timeout)


async def set_up(page: Any, comfy: Any, wish: str) -> Any:
    """A Grok Imagine: Text to Video with that prompt, before a Save Video. Returns the id of the first."""
    maker = await find(page, "grok text", "Grok Imagine: Text to Video", 560, 180)
    await page.evaluate(
        "id => { const node = app.graph.getNodeById(id); const [x, y] = node.pos;"
        " const save = LiteGraph.createNode('SaveVideo'); save.pos = [x + node.size[0] + 60, y];"
        " app.graph.add(save); node.connect(0, save, 0) }",
        maker,
    )
    await page.evaluate("() => app.extensionManager.command.execute('Comfy.Canvas.FitView')")
    await page.wait_for_timeout(1000)  # the view glides
    await page.locator("textarea").first.click()
    await page.keyboard.type(wish)
    await page.wait_for_function(
        "([id, wish]) => app.graph.getNodeById(id).widgets.find(one => one.name === 'prompt').value === wish",
        arg=[maker, wish],
    )
    return maker


async def test_from_the_search_to_the_clip_and_back(page: Any, comfy: Any, wait_until_ready: Any) -> None:
    wish = f"a heron at dawn {uuid.uuid4().hex[:6]}"
    maker = await set_up(page, comfy, wish)
    await shot(page, "ready")
    await page.get_by_role("button", name="Run", exact=True).first.click()
    await until(page, maker, "Generating")
    await until(page, maker, "credits")
    await shot(page, "running")
    await page.wait_for_function("() => document.querySelector('.giv-node video')?.readyState >= 2", timeout=120_000)
    job = await page.evaluate("id => app.graph.getNodeById(id).properties.grok_imagine.jobs[0]", maker)
    await until(page, maker, job)
    await shot(page, "done")
    panel = await show_jobs(page)
    row = panel.locator(".giv-row", has_text=wish)
    await row.get_by_text("Done").wait_for()
    await shot(page, "panel")
    # ComfyUI keeps the graph; after a reload the node shows its clip again.
    await page.wait_for_function(
        "job => [...Object.values(localStorage), ...Object.values(sessionStorage)].some(one => one.includes(job))",
        arg=job,
        timeout=30_000,
    )
    await page.reload(wait_until="domcontentloaded")
    await wait_until_ready(page)
    await page.wait_for_function("() => app.graph._nodes.some(node => node.type === 'GIVTextToVideo')", timeout=30_000)
    found = await page.evaluate("() => app.graph._nodes.find(node => node.type === 'GIVTextToVideo').id")
    await until(page, found, job)
    await page.wait_for_function("() => document.querySelector('.giv-node video')?.readyState >= 2", timeout=60_000)
    await shot(page, "reloaded")
    # Its workflow, from the panel, into an empty graph.
    await page.evaluate("() => app.graph.clear()")
    panel = await show_jobs(page)
    await panel.locator(".giv-row", has_text=wish).click()
    await panel.get_by_role("button", name="Open workflow").click()
    await page.wait_for_function(
        "wish => app.graph._nodes.some(node => node.widgets?.some(one => one.value === wish))", arg=wish, timeout=30_000
    )
    await shot(page, "workflow")


async def test_a_stopped_job_is_resumed_from_the_panel(
    page: Any, comfy: Any, sandbox: Any, wait_until_ready: Any
) -> None:
    wish = f"a stopped heron {uuid.uuid4().hex[:6]}"
    before = sandbox("/_sandbox/ledger")["submits"]
    maker = await set_up(page, comfy, wish)
    await page.get_by_role("button", name="Run", exact=True).first.click()
    await until(page, maker, "Generating")
    comfy.post("/interrupt", {})
    await until(page, maker, "Stopped.")
    await shot(page, "stopped")
    await page.reload(wait_until="domcontentloaded")
    await wait_until_ready(page)
    panel = await show_jobs(page)
    row = panel.locator(".giv-row", has_text=wish)
    await row.wait_for()
    await row.click()
    await panel.get_by_role("button", name="Resume").click()
    await panel.locator(".giv-detail .giv-state", has_text="Done").wait_for(timeout=120_000)
    await page.wait_for_function("() => document.querySelector('.giv-film video')?.readyState >= 1", timeout=30_000)
    await shot(page, "resumed")
    assert sandbox("/_sandbox/ledger")["submits"] == before + 1
    kept = await page.evaluate("() => JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert "MARKER" not in kept + await page.content()
