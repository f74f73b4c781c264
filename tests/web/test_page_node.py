"""What happens on a node, in each front end and renderer: price, limits, tokens, progress, clip, errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .node_actions import SET, STATUS, choose, connect, price, status, until
from .worlds import EVERYWHERE, NEWEST_CANVAS, NEWEST_VUE, OLDEST_CANVAS, OLDEST_VUE

VALUES = "node => node.serialize().widgets_values"
everywhere = pytest.mark.parametrize("world", EVERYWHERE)
PLAIN = ["sandbox", "auto", "", "auto", "auto", 6, "auto", 0, "fixed"]
"""The first values of a new Text to Video. What comes after them is of other tests' concern."""


# The oldest Nodes 2.0 tells the price elsewhere.
@pytest.mark.parametrize("world", [OLDEST_CANVAS, OLDEST_VUE, NEWEST_CANVAS, NEWEST_VUE])
async def test_the_price_follows_connection_duration_and_resolution(page: Any) -> None:
    await page.open()
    number = await page.add("GIVTextToVideo")
    await choose(page, number, "prompt", "a boat")
    await page.wait_for_function("() => document.querySelector('.giv-node') !== null")
    expected = [
        ({"connection": "sandbox"}, "Free (about $0.054 on reAPI)"),
        ({"duration": 30}, "Free (about $0.27 on reAPI)"),
        ({"connection": "aivideoapi", "duration": 6}, "≈ 15 credits · $0.075"),
        ({"resolution": "720p"}, "≈ 27 credits · $0.135"),
        ({"connection": "apiinone", "resolution": "auto", "duration": 0}, "≈ 24 credits · $0.24"),
        ({"connection": "kie"}, "Price: see provider"),
    ]
    for changes, words in expected:
        for name, value in changes.items():
            await choose(page, number, name, value)
        assert words in await price(page, number)
    if page.world == "newest-vue":
        await page.wait_for_function('() => document.body.innerText.includes("Price: see provider")')
    await page.shot("price")


async def test_the_price_of_many_clips_is_their_sum(page: Any) -> None:
    await page.open()
    batch, film = await page.add("GIVBatch"), await page.add("GIVContinueVideo", 560)
    assert "0 clips" in await price(page, batch)
    await choose(page, batch, "connection", "reapi")
    await choose(page, batch, "rows", 'a kite\n{"prompt": "a boat", "duration": 10}\n\na tree')
    assert "3 clips · ≈ 198 credits · $0.198" in await price(page, batch)
    await choose(page, batch, "rows", 'a kite\n{"prompt": "a boat", "connection": "aivideoapi", "resolution": "480p"}')
    assert "2 clips · ≈ $0.129" in await price(page, batch), "credits of two providers cannot be added"
    await choose(page, film, "prompts", "on it goes\nand on")
    assert "2 clips · Free (about $0.108 on reAPI)" in await price(page, film)
    await choose(page, film, "connection", "kie")
    assert "2 clips · Price: see provider" in await price(page, film)
    await page.fit()
    await page.shot("price-many")


async def test_a_value_that_will_not_do_is_kept_marked_and_mended_by_a_button(page: Any) -> None:
    await page.open()
    number = await page.add("GIVTextToVideo")
    for name, value in {"connection": "xai", "model": "grok-imagine-video-1.5", "resolution": "1080p"}.items():
        await choose(page, number, name, value)
    await choose(page, number, "duration", 15)
    assert "doesn't support" not in await status(page, number)
    await choose(page, number, "connection", "sandbox-aivideoapi")
    told = await status(page, number)
    assert "Resolution: AI Video API doesn't support 1080p. Choose 480p, 720p." in told
    assert "Model: AI Video API doesn't support grok-imagine-video-1.5" in told
    kept = ["sandbox-aivideoapi", "grok-imagine-video-1.5", "", "1080p", "auto", 15, "auto", 0, "fixed"]
    assert (await page.node(number, VALUES))[: len(kept)] == kept
    marked = await page.node(number, "node => node.widgets.filter(one => one.isGrokMarked).map(one => one.name)")
    assert sorted(marked) == ["model", "resolution"]
    offered = await page.node(number, "node => node.widgets.find(one => one.name === 'resolution').options.values")
    assert offered == ["auto", "480p", "720p", "1080p"], "what is chosen stays in the list"
    await page.fit()
    await page.shot("limits")
    sent = await page.evaluate("async () => (await app.graphToPrompt()).output")
    assert sent[str(number)]["inputs"]["resolution"] == "1080p"
    await page.locator(".giv-node-fault", has_text="1080p").get_by_role("button", name="720p").click()
    await page.locator(".giv-node-fault", has_text="model").get_by_role("button", name="auto").click()
    await until(page, number, "(node, text) => !text.includes('support')")
    assert (await page.node(number, VALUES))[3] == "720p"
    offered = await page.node(number, "node => node.widgets.find(one => one.name === 'resolution').options.values")
    assert offered == ["auto", "480p", "720p"]


@everywhere
async def test_values_survive_saving_reloading_copying_and_export(page: Any) -> None:
    await page.open()
    number = await page.add("GIVImageToVideo")
    wanted = {"connection": "sandbox-xai", "prompt": "a\nboat", "aspect_ratio": "4:3", "duration": 12, "seed": 7}
    for name, value in wanted.items():
        await choose(page, number, name, value)
    before = await page.node(number, VALUES)
    workflow = await page.evaluate("() => app.graph.serialize()")
    assert workflow["nodes"][0]["widgets_values"] == before
    # As it was saved without the page's part, and as another machine has it.
    await page.evaluate("workflow => app.loadGraphData(workflow)", workflow)
    assert await page.node(number, VALUES) == before
    await page.evaluate("() => { app.canvas.selectItems(app.graph._nodes); app.canvas.copyToClipboard();"
                        " app.canvas.pasteFromClipboard(); }")  # fmt: skip
    both = await page.evaluate(f"() => app.graph._nodes.map({VALUES})")
    assert both == [before, before]
    sent = await page.evaluate("async () => (await app.graphToPrompt()).output")
    assert len(sent) == 2
    for node in sent.values():
        assert {name: node["inputs"][name] for name in wanted} == wanted
        assert "grok_status" not in node["inputs"]
        assert len(node["inputs"]) == len(before) - 1, "all but the seed's control"
    await page.reload()
    await page.evaluate("workflow => app.loadGraphData(workflow)", workflow)
    assert await page.node(number, VALUES) == before


# The oldest front end tells the refusal in a dialog.
@pytest.mark.parametrize("world", [OLDEST_CANVAS, NEWEST_VUE])
async def test_a_connection_that_is_not_here_is_said_and_others_offered(page: Any) -> None:
    await page.open()
    number = await page.add("GIVTextToVideo")
    workflow = await page.evaluate("() => app.graph.serialize()")
    workflow["nodes"][0]["widgets_values"][:8] = ["studio", "auto", "a boat", "1080p", "auto", 21, "spicy", 5]
    workflow["nodes"][0].pop("widgets_values_named", None)
    await page.evaluate("workflow => app.loadGraphData(workflow)", workflow)
    await until(page, number, "(node, text) => text.includes('No connection “studio”')")
    assert await page.node(number, VALUES) == workflow["nodes"][0]["widgets_values"]
    await page.fit()
    await page.shot("missing-connection")
    await page.evaluate("async () => { await app.queuePrompt(0) }")
    assert await page.node(number, VALUES) == workflow["nodes"][0]["widgets_values"]
    # ComfyUI tells the refusal, too; older front ends in a dialog over everything.
    dialog = page.locator(".p-dialog-mask")
    if page.world.startswith("oldest"):
        await dialog.wait_for()
        await page.keyboard.press("Escape")
        await dialog.wait_for(state="detached")
    await page.locator(".giv-node-fault").get_by_role("button", name="sandbox", exact=True).click()
    assert (await page.node(number, VALUES))[0] == "sandbox"


@pytest.mark.parametrize("world", [NEWEST_VUE])
async def test_a_missing_key_can_be_added_from_the_node(page: Any) -> None:
    await page.open()
    number = await page.add("GIVTextToVideo")
    await choose(page, number, "connection", "xai")
    await until(page, number, "(node, text) => text.includes('No API key for “xai”.')")
    await page.locator(".giv-node-warning").get_by_role("button", name="Add key…").click()
    await page.get_by_role("dialog", name="Grok Imagine Video settings").wait_for()
    await page.keyboard.press("Escape")


@everywhere
async def test_tokens_stand_by_their_sockets_and_are_offered_while_typing(page: Any) -> None:
    await page.open()
    number = await page.add("GIVImageToVideo", 480)
    await choose(page, number, "connection", "sandbox-aivideoapi")
    first, second = await page.add("LoadImage"), await page.add("EmptyImage", 60, 460)
    await connect(page, first, number, "image_2")
    await connect(page, second, number, "image_4")
    await page.node(second, SET, "batch_size", 2)
    labels = "node => node.inputs.filter(one => one.label?.includes('@')).map(one => one.label)"
    await choose(page, number, "prompt", "")  # anything that makes the node look again
    assert await page.node(number, labels) == ["image_2 @image1", "image_4 @image2–3"]
    box = page.locator("textarea").nth(0)
    await box.click()
    await page.keyboard.type("the boat of @im")
    options = page.get_by_role("option")
    assert await options.all_inner_texts() == ["@image1", "@image2", "@image3"]
    await page.shot("tokens")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await until(
        page, number, "node => node.widgets.find(one => one.name === 'prompt').value === 'the boat of @image2 '"
    )
    await page.keyboard.type("and @image4")
    await until(page, number, "(node, text) => text.includes('@image4 isn\\'t connected')")
    assert await options.count() == 0
    await page.node(number, "node => node.disconnectInput(node.inputs.findIndex(one => one.name === 'image_2'))")
    await until(page, number, "(node, text) => node.inputs.some(one => one.label === 'image_4 @image1–2')")


SIZES = "() => app.graph._nodes.map(node => [...node.size])"
PLAYS = "() => document.querySelector('.giv-node video')?.readyState >= 2"


@everywhere
async def test_a_run_is_followed_on_the_node_and_its_ids_can_be_copied(page: Any) -> None:
    await page.open()
    number = await page.add("GIVTextToVideo")
    await choose(page, number, "prompt", f"a boat in {page.world}")
    save = await page.add("SaveVideo", 560)
    await connect(page, number, save, 0)
    await page.evaluate("() => app.queuePrompt(0)")
    await until(page, number, "(node, text) => /Queued|Generating/.test(text) && text.includes('Job')")
    await page.fit()
    await page.shot("running")
    await until(page, number, "(node, text) => text.includes('free, about 54 credits')")
    await until(page, number, "node => node.properties.grok_imagine?.jobs.length === 1", 90_000)
    told = await status(page, number)
    job = (await page.node(number, "node => node.properties.grok_imagine.jobs"))[0]
    assert job in told
    assert "Task ID" in told
    await page.wait_for_function(PLAYS, timeout=30_000)
    await page.still(SIZES)  # the node grows by its player
    await page.fit()
    await page.locator(".giv-node-copy").first.click()
    assert await page.evaluate("() => navigator.clipboard.readText()") == job
    await page.shot("done")
    assert "text-preview" not in json.dumps(await page.node(number, "node => node.widgets.map(one => one.name)"))
    before = await page.node(number, "node => node.size[1]")
    for _ in range(2):
        workflow = await page.evaluate("() => app.graph.serialize()")
        await page.reload()
        await page.evaluate("workflow => app.loadGraphData(workflow)", workflow)
        await until(page, number, f"(node, text) => text.includes('{job}') && text.includes('free, about')")
        await page.wait_for_function(PLAYS, timeout=30_000)
        await page.still(SIZES, 30)
        after = await page.node(number, "node => node.size[1]")
        assert abs(after - before) < 40, "it has the room of its clip, and no more with each reload"
    assert "Free (about $0.054 on reAPI)" in await price(page, number), "it is known again what the clip cost"
    there = await page.evaluate("() => app.graph._nodes.map(node => node.id)")
    await page.evaluate("() => { app.canvas.selectItems([...app.graph._nodes]); app.canvas.copyToClipboard();"
                        " app.canvas.pasteFromClipboard(); }")  # fmt: skip
    both = await page.evaluate("() => app.graph._nodes.filter(one => one.type === 'GIVTextToVideo').map(one => one.id)")
    (copy,) = set(both) - set(there)
    shown = await page.still(f"() => ({STATUS})(app.graph.getNodeById({json.dumps(copy)})).textContent", 30)
    assert job not in shown, "a copy has made no clip yet"


async def test_a_list_and_a_chain_show_their_clips_with_ids_and_cost(page: Any) -> None:
    await page.open()
    batch, clip, chain = (
        await page.add("GIVBatch"),
        await page.add("GIVTextToVideo", 500),
        await page.add("GIVContinueVideo", 960),
    )
    await choose(page, batch, "rows", f"a kite in {page.world}\na tree in {page.world}")
    await choose(page, clip, "prompt", f"a boat in {page.world}")
    await choose(page, chain, "prompts", "it sinks")
    await connect(page, clip, chain, "video")
    for number, origin in enumerate((batch, chain)):
        await connect(page, origin, await page.add("SaveVideo", 500 + 920 * number, 800), 0)
    await page.evaluate("() => app.queuePrompt(0)")
    for number, count in ((batch, 2), (chain, 1)):
        await until(page, number, f"node => node.properties.grok_imagine?.jobs.length === {count}", 120_000)
        told = await status(page, number)
        for job in await page.node(number, "node => node.properties.grok_imagine.jobs"):
            assert job in told
        assert told.count("free, about 54 credits") == count
    videos = "() => [...document.querySelectorAll('.giv-node video')].filter(one => one.readyState >= 2).length"
    await page.wait_for_function(f"({videos})() >= 4 || null", timeout=30_000)
    await page.fit()
    await page.shot("many-done")


ERRORS = {
    "en": ("Out of credit at the provider.", "You were not charged.", "Top up"),
    "zh": ("服务商余额不足。", "未产生费用。", "请充值"),
    "ja": ("プロバイダーの残高がありません。", "課金されていません。", "チャージ"),
}


@pytest.mark.parametrize(
    ("world", "language"),
    [
        pytest.param("oldest-canvas", "en", marks=pytest.mark.slow),
        (NEWEST_VUE, "en"),
        (NEWEST_VUE, "zh"),
        (NEWEST_CANVAS, "ja"),
    ],
)
async def test_an_error_says_what_happened_what_it_cost_and_what_to_do(fresh_page: Any, language: str) -> None:
    page = fresh_page
    await page.open(Comfy_Locale=language)
    number = await page.add("GIVTextToVideo")
    await choose(page, number, "prompt", "a boat [sandbox:402]")
    save = await page.add("SaveVideo", 560)
    await connect(page, number, save, 0)
    await page.evaluate("() => app.queuePrompt(0)")
    what, charged, then = ERRORS[language]
    await until(page, number, f"(node, text) => text.includes({json.dumps(what)})", 60_000)
    told = await status(page, number)
    assert charged in told
    assert then in told
    await page.shot(f"error-{language}")


async def test_a_new_node_has_room_for_its_prompt(page: Any) -> None:
    await page.open()
    number = await page.add("GIVTextToVideo")
    assert (await page.node(number, VALUES))[: len(PLAIN)] == PLAIN
    await page.fit()
    box = await page.locator("textarea").first.bounding_box()
    scale = await page.evaluate("() => app.canvas.ds.scale")
    assert round(box["height"] / scale) >= 58
    assert (await page.node(number, "node => node.size[0]")) >= 400


MOST = {
    "canvas": {"GIVTextToVideo": 324, "GIVImageToVideo": 395},
    "vue": {"GIVTextToVideo": 410, "GIVImageToVideo": 450},
}
"""The height of a new node in pixels, without its title in the canvas; it was 541 and 659 before there were advanced
inputs. Nodes 2.0 has wider rows, and a button of its own."""


@pytest.mark.parametrize("world", [OLDEST_CANVAS, NEWEST_CANVAS, NEWEST_VUE])
@pytest.mark.parametrize("kind", ["GIVTextToVideo", "GIVImageToVideo"])
async def test_a_new_node_is_low_and_shows_the_rest_on_request(page: Any, kind: str) -> None:
    await page.open()
    number = await page.add(kind)
    await choose(page, number, "connection", "sandbox-openai_videos")  # no usual time is known of it
    await page.still(SIZES)
    height = await page.node(
        number,
        "node => { const drawn = document.querySelector(`[data-node-id='${node.id}']`);"
        " return drawn ? drawn.getBoundingClientRect().height / app.canvas.ds.scale : node.size[1] }",
    )
    assert height <= MOST[page.world.split("-")[1]][kind]
    seen = "node => node.widgets.filter(one => node.isWidgetVisible(one)).map(one => one.name)"
    first = ["prompt", "connection", "duration", "resolution", "aspect_ratio", "seed", "grok_status"]
    assert await page.node(number, seen) == first
    await page.fit()
    await page.shot(f"low-{kind}")
    advanced = page.get_by_role("button", name="Show advanced inputs")
    await advanced.click()
    await page.still(SIZES)
    shown = await page.node(number, seen)
    assert {"model", "on_rejected", "fallbacks"} <= set(shown)
    assert "motion_mode" not in shown, "the gateway has none"
    await page.fit()
    await page.shot(f"advanced-{kind}")
    await page.get_by_role("button", name="Hide advanced inputs").evaluate("button => button.click()")
    await page.still(SIZES)
    assert await page.node(number, seen) == first
    assert await page.node(number, "node => node.size[1]") <= height + 1


@pytest.mark.parametrize("world", [NEWEST_VUE])
async def test_no_request_leaves_the_machine(page: Any) -> None:
    """The browser knows no other host, not even this one by its other name."""
    await page.open()
    asked = "url => fetch(url, {mode: 'no-cors'}).then(() => 'answered', error => error.name)"
    assert await page.evaluate(asked, page.host.url) == "answered"
    assert await page.evaluate(asked, page.host.url.replace("127.0.0.1", "localhost")) == "TypeError"
