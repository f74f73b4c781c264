"""What a node says is wrong can be mended from where it is said, and is told once."""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import closing
from typing import Any

import pytest

from .node_actions import choose, connect, price, status, until
from .worlds import NEWEST_CANVAS, NEWEST_VUE, OLDEST_CANVAS, OLDEST_VUE

DIALOG = "Grok Imagine Video settings"
NOWHERE = "http://127.0.0.1:9"
"""An address that answers nothing, for connections whose key is tested as they are saved."""
OFFERED = "node => node.widgets.find(one => one.name === 'connection').options.values"
everywhere = pytest.mark.parametrize("world", [OLDEST_CANVAS, OLDEST_VUE, NEWEST_CANVAS, NEWEST_VUE])


@pytest.fixture(autouse=True)
def fresh(host: Any) -> None:
    host.home.mkdir(parents=True, exist_ok=True)
    (host.home / "settings.json").write_text("{}")


async def ran(page: Any, prompt: str, connection: str = "sandbox") -> Any:
    """A Text to Video whose run has begun."""
    await page.open()
    number = await page.add("GIVTextToVideo")
    await choose(page, number, "connection", connection)
    await choose(page, number, "prompt", prompt)
    await connect(page, number, await page.add("SaveVideo", 560), 0)
    await page.evaluate("() => app.queuePrompt(0)")
    return number


def notice(page: Any) -> Any:
    return page.locator(".giv-node-error:not([hidden])")


async def closed_by_comfyui(page: Any) -> None:
    """Older front ends tell an error in a dialog over everything."""
    if page.world.startswith("oldest"):
        dialog = page.locator(".p-dialog-mask")
        await dialog.wait_for()
        await page.keyboard.press("Escape")
        await dialog.wait_for(state="detached")


@everywhere
async def test_a_missing_key_is_added_at_its_connection_and_open_nodes_know_at_once(page: Any) -> None:
    await page.open()
    first, second = await page.add("GIVTextToVideo"), await page.add("GIVImageToVideo", 560)
    for number in (first, second):
        await choose(page, number, "connection", "xai")
        await until(page, number, "(node, text) => text.includes('No API key for “xai”.')")
    await page.fit()
    await page.locator(".giv-node-warning").first.get_by_role("button", name="Add key…").click()
    form = page.get_by_role("dialog", name=DIALOG).get_by_role("form", name="Connection xai")
    await form.get_by_label("API key").fill("xai-not-a-real-key-7qrs")
    await form.get_by_text("More", exact=True).click()
    await form.get_by_label("Base URL").fill(NOWHERE)
    await form.get_by_role("button", name="Save").click()
    for number in (first, second):
        await until(page, number, "(node, text) => !text.includes('No API key')")
    await page.keyboard.press("Escape")


@everywhere
async def test_a_new_connection_can_be_chosen_on_an_open_node(page: Any) -> None:
    await page.open()
    number = await page.add("GIVTextToVideo")
    await page.quoted()
    assert "studio" not in await page.node(number, OFFERED)
    body = {"name": "studio", "dialect": "openai_videos", "base_url": NOWHERE, "api_key": "sk-not-a-real-key"}
    page.host.ask("/grok_imagine/settings/connection", body)
    await until(page, number, f"node => ({OFFERED})(node).includes('studio')")
    if page.is_vue:
        await page.locator(f"[data-node-id='{number}']").get_by_role("combobox").first.click()
        await page.get_by_role("option", name="studio").click()
        await until(page, number, "node => node.widgets.find(one => one.name === 'connection').value === 'studio'")
    page.host.ask("/grok_imagine/settings/connection/remove", {"name": "studio"})
    missing = "text.includes('No connection “studio”')" if page.is_vue else f"!({OFFERED})(node).includes('studio')"
    await until(page, number, f"(node, text) => {missing}")


async def test_too_many_images_name_the_sockets_to_disconnect(page: Any) -> None:
    await page.open()
    number = await page.add("GIVImageToVideo", 480)
    for name, value in {"connection": "sandbox-xai", "mode": "image_to_video", "prompt": "it moves"}.items():
        await choose(page, number, name, value)
    for slot in (1, 2, 4):
        await connect(page, await page.add("LoadImage", 60, 60 + 400 * slot), number, f"image_{slot}")
    await until(page, number, "(node, text) => text.includes('at most 1 on xAI')")
    await page.fit()
    fault = page.locator(".giv-node-fault", has_text="at most 1")
    assert await fault.get_by_role("button").all_inner_texts() == ["Disconnect image_2", "Disconnect image_4"]
    await page.shot("too-many-images")
    for name in ("image_4", "image_2"):
        await fault.get_by_role("button", name=f"Disconnect {name}").click()
        await page.quoted()
    linked = "node => node.inputs.filter(one => one.link != null).map(one => one.name)"
    assert await page.node(number, linked) == ["image_1"]
    assert "at most 1" not in await status(page, number)


async def test_an_unknown_outcome_is_settled_from_the_node(page: Any) -> None:
    mark = uuid.uuid4().hex
    number = await ran(page, f"a boat {mark} [sandbox:drop-after]")
    await until(page, number, "(node, text) => text.includes('Submit again')", 90_000)
    await closed_by_comfyui(page)
    await page.fit()
    assert await notice(page).get_by_role("button").all_inner_texts() == ["Attach task ID", "Submit again"]
    await page.shot("unknown-outcome")
    for action, title in (("Attach task ID", "Attach task ID"), ("Submit again", "Submit again?")):
        await notice(page).get_by_role("button", name=action).click()
        await page.get_by_role("dialog", name=title).get_by_role("button", name="Close").click()
        assert "Submit again" in await status(page, number), "nothing was done"
    await notice(page).get_by_role("button", name="Attach task ID").click()
    dialog = page.get_by_role("dialog", name="Attach task ID")
    with closing(sqlite3.connect(page.host.home / "sandbox" / "sandbox.sqlite3")) as sandbox:
        (task,) = sandbox.execute("SELECT id FROM tasks WHERE data LIKE ?", (f"%{mark}%",)).fetchone()
    await dialog.get_by_label("Task ID").fill(task)
    await dialog.get_by_role("button", name="Attach task ID").click()
    await until(page, number, "node => node.properties.grok_imagine?.jobs.length === 1", 90_000)
    assert await notice(page).count() == 0
    assert "Free" in await price(page, number)


@pytest.mark.parametrize(
    ("kind", "button", "part"),
    [
        ("OverBudget", "Raise limit…", "Budget & limits"),
        ("AuthRejected", "Change key…", "Connections"),
        ("StorageError", "Set up store…", "Stores"),
    ],
)
async def test_an_error_leads_to_the_setting_that_mends_it(page: Any, kind: str, button: str, part: str) -> None:
    await page.open()
    number = await page.add("GIVTextToVideo")
    await choose(page, number, "connection", "reapi")
    event = {"node": str(number), "prompt_id": "one", "step": "failed", "kind": kind, "message": "no"}
    page.host.send("grok_imagine.node", event)
    await notice(page).get_by_role("button", name=button).click()
    dialog = page.get_by_role("dialog", name=DIALOG)
    await dialog.get_by_role("tab", name=part, selected=True).wait_for()
    if part == "Connections":
        await dialog.get_by_role("form", name="Connection reapi").wait_for()
    await page.keyboard.press("Escape")


@everywhere
async def test_a_fault_is_told_at_the_node_and_not_again_in_a_toast(page: Any) -> None:
    """ComfyUI tells it, too: in a card, older front ends in a dialog."""
    number = await ran(page, "a boat [sandbox:402]")
    await until(page, number, "(node, text) => text.includes('Out of credit at the provider.')", 60_000)
    await page.still("() => document.body.innerText", 30)
    assert await page.get_by_text("Out of credit at the provider.").count() == 1
    assert await page.locator(".p-toast-message", has_text="Grok|credit").count() == 0
    await page.shot("fault")


CONTRASTS = """() => {
    const area = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const channels = (colour) => {
        area.clearRect(0, 0, 1, 1);
        area.fillStyle = colour;
        area.fillRect(0, 0, 1, 1);
        return [...area.getImageData(0, 0, 1, 1).data].map(one => one / 255);
    };
    const over = ([r, g, b, a], below) => [r, g, b].map((one, index) => one * a + below[index] * (1 - a));
    const luminance = (colour) => colour
        .map(one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
        .reduce((sum, one, index) => sum + one * [0.2126, 0.7152, 0.0722][index], 0);
    const ground = (element) => {
        if (!element) return channels(LiteGraph.NODE_DEFAULT_BGCOLOR).slice(0, 3);
        const own = channels(getComputedStyle(element).backgroundColor);
        const isNode = element.matches('.giv-node') && !LiteGraph.vueNodesMode;
        return own[3] === 1 ? own.slice(0, 3) : over(own, ground(isNode ? null : element.parentElement));
    };
    const texts = [...document.querySelectorAll('.giv-node *')]
        .filter(one => one.checkVisibility())
        .filter(one => [...one.childNodes].some(each => each.nodeType === 3 && each.data.trim()));
    return texts.map(one => {
        const below = ground(one);
        const [first, second] = [over(channels(getComputedStyle(one).color), below), below].map(luminance);
        return [one.textContent, (Math.max(first, second) + 0.05) / (Math.min(first, second) + 0.05)];
    });
}"""
"""Each text of our nodes, and its contrast with what lies below it."""


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("world", [NEWEST_CANVAS, NEWEST_VUE])
async def test_what_a_node_says_can_be_read_in_every_theme(page: Any, theme: str) -> None:
    await page.open(Comfy_ColorPalette=theme)
    wrong, ended = await page.add("GIVTextToVideo"), await page.add("GIVTextToVideo", 560)
    await connect(page, wrong, await page.add("SaveVideo", 60, 700), 0)
    for name, value in {"connection": "reapi", "resolution": "1080p"}.items():
        await choose(page, wrong, name, value)
    event = {"prompt_id": "one", "step": "failed", "kind": "OverBudget", "message": "no", "job": "job-1"}
    page.host.send("grok_imagine.node", {"node": str(ended), **event})
    await until(page, ended, "(node, text) => text.includes('job-1')")
    await page.fit()
    await page.shot(f"contrast-{theme}")
    found = await page.evaluate(CONTRASTS)
    assert {"Enter a prompt.", "480p", "Add key…", "Over your budget limit.", "Raise limit…"} <= {
        text for text, _ in found
    }
    assert {text: ratio for text, ratio in found if ratio < 4.5} == {}
