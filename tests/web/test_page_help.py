"""Each node as its help shows it. With GROK_IMAGINE_WRITE=1 the pictures in web/docs are taken anew."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from .worlds import NEWEST_CANVAS, NEWEST_VUE, OLDEST_CANVAS

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "web" / "docs" / "img"
SAMPLES: dict[str, dict[str, Any]] = {
    "GIVTextToVideo": {"prompt": "A paper boat drifts down a rain-soaked street at dusk, slow tracking shot"},
    "GIVImageToVideo": {"prompt": "@image1 walks through the street of @image2, warm haze"},
    "GIVEditVideo": {"connection": "sandbox-xai", "prompt": "Make it winter, with falling snow"},
    "GIVExtendVideo": {"connection": "sandbox-xai", "prompt": "The camera rises above the roofs"},
    "GIVContinueVideo": {"prompts": "The boat reaches the harbour\nIt is lifted out by a child"},
    "GIVFilm": {
        "shots": "A paper boat leaves the shore at dawn\n[continue] It drifts past a flock of ducks\n"
        "[8s, take 2 of 4] @anna waves from the pier"
    },
    "GIVCast": {"name": "anna"},
    "GIVWaitForTask": {"job_id": "20261121-101500-3f9a2c7b"},
}


@pytest.mark.parametrize("world", ["newest-vue"])
async def test_a_picture_of_each_node(page: Any) -> None:
    await page.open()
    kinds = [name for name in page.host.ask("/object_info") if name.startswith("GIV")]
    assert set(SAMPLES) <= set(kinds)
    for kind in kinds:
        await page.evaluate("() => app.graph.clear()")
        number = await page.add(kind, 120, 100)
        for name, value in SAMPLES.get(kind, {}).items():
            script = "(node, name, value) => { const one = node.widgets.find(each => each.name === name);"
            await page.node(number, script + " one.value = value; one.callback?.(value) }", name, value)
        if kind == "GIVImageToVideo":
            for slot in ("image_1", "image_2"):
                origin = await page.add("LoadImage", -400, 100)
                script = "([a, b, slot]) => app.graph.getNodeById(a).connect(0, app.graph.getNodeById(b), slot)"
                await page.evaluate(script, [origin, number, slot])
        await page.evaluate(
            "() => { app.canvas.ds.scale = 1; app.canvas.ds.offset = [0, 0]; app.canvas.setDirty(true) }"
        )
        await page.still(f"() => {{ const one = document.querySelector('[data-node-id=\"{number}\"]');"
                         " return [one?.textContent, one?.getBoundingClientRect()] }")  # fmt: skip
        shown = page.locator(f"[data-node-id='{number}']").first
        folder = IMAGES if os.environ.get("GROK_IMAGINE_WRITE") else ROOT / "artifacts" / "help"
        folder.mkdir(parents=True, exist_ok=True)
        await shown.screenshot(path=str(folder / f"{kind}.png"))
        assert (folder / f"{kind}.png").stat().st_size > 2000


@pytest.mark.parametrize("world", [OLDEST_CANVAS, NEWEST_CANVAS, NEWEST_VUE])
async def test_the_help_in_the_page_shows_its_picture(page: Any) -> None:
    await page.open()
    number = await page.add("GIVTextToVideo", 120, 300)
    await page.node(number, "node => app.canvas.selectItems([node])")
    await page.locator("[data-testid='info-button'], button:has([class*='lucide--info'])").first.click()
    picture = "() => document.querySelector('img[src*=\"GIVTextToVideo.png\"]')?.naturalWidth > 100"
    await page.wait_for_function(picture)
    await page.shot("help")
