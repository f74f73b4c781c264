"""The settings in a real browser: connections, stores and the budget, and no key anywhere but in its file."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

KEY = "rk_live_sandbox_MARKER_7qrs"


async def opened(page: Any, **settings: Any) -> Any:
    await page.open(**settings)
    await page.page.evaluate("() => void window.app.extensionManager.command.execute('GrokImagineVideo.OpenSettings')")
    await page.page.get_by_role("tab", name="Connections").wait_for()
    return page.page


@pytest.fixture(autouse=True)
def fresh(host: Any) -> None:
    host.home.mkdir(parents=True, exist_ok=True)
    (host.home / "settings.json").write_text("{}")


async def test_a_key_is_entered_once_and_shown_by_its_last_four_alone(fresh_page: Any, host: Any) -> None:
    page = fresh_page
    answers: list[str] = []

    async def note(response: Any) -> None:
        if "grok_imagine" in response.url and "json" in response.headers.get("content-type", ""):
            answers.append(await response.text())

    page.page.on("response", note)
    shown = await opened(page)
    await shown.get_by_role("button", name="Add connection").click()
    form = shown.get_by_role("form", name="Add connection")
    await form.get_by_label("API", exact=True).select_option("openai_videos")
    await form.get_by_label("Name", exact=True).fill("studio")
    await form.get_by_label("API key").fill(KEY)
    await form.get_by_label("Base URL").fill("http://127.0.0.1:9")
    await form.get_by_role("button", name="Save").click()
    card = shown.locator("[data-connection=studio]")
    await card.get_by_text("key ••••7qrs, stored on the server").wait_for()
    await card.get_by_text("Test failed").wait_for(timeout=60_000)
    await page.shot("settings-connection")
    settings = host.home / "settings.json"
    assert json.loads(settings.read_text())["connections"]["studio"]["api_key"] == KEY
    assert settings.stat().st_mode & 0o077 == 0
    await card.get_by_role("button", name="Edit: studio").click()
    edited = shown.get_by_role("form", name="Connection studio")
    assert await edited.get_by_label("Base URL").is_visible(), "a gateway has no default"
    await edited.get_by_label("Base URL").fill("https://elsewhere.example")
    await edited.get_by_role("button", name="Save").click()
    await edited.get_by_text("enter the key again").wait_for()
    # Everything that a page or a file could give away.
    kept = "() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
    values = "() => [...document.querySelectorAll('input, textarea')].map(one => one.value).join()"
    everything = [await shown.content(), await shown.evaluate(kept), await shown.evaluate(values), *answers]
    everything += [json.dumps(host.ask(path)) for path in ("/settings", "/object_info", "/grok_imagine/jobs")]
    assert len(answers) >= 3
    assert [one for one in everything if "MARKER" in one] == []
    holding = [path for path in host.base.rglob("*") if path.is_file() and b"MARKER" in path.read_bytes()]
    assert holding == [settings]
    await edited.get_by_role("button", name="Remove", exact=True).click()
    await shown.get_by_role("dialog", name="studio").get_by_role("button", name="Remove", exact=True).click()
    await card.wait_for(state="detached")
    assert "MARKER" not in settings.read_text()


class _Provider(BaseHTTPRequestHandler):
    """Takes keys that end in "good", and knows no task."""

    def do_GET(self) -> None:
        is_good = self.headers.get("Authorization", "").endswith("good")
        body = json.dumps({"error": {"message": "no such task" if is_good else "bad key", "type": "invalid"}}).encode()
        self.send_response(404 if is_good else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def provider() -> Iterator[str]:
    """The address of a provider."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Provider) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


async def test_a_row_says_whether_its_key_works(page: Any, host: Any, provider: str) -> None:
    there = {"dialect": "openai_videos", "base_url": provider}
    body = {"connections": {"studio": {**there, "api_key": "sk-0123456789-good"}}}
    (host.home / "settings.json").write_text(json.dumps(body))
    shown = await opened(page)
    names = "() => [...document.querySelectorAll('[data-connection]')].map(one => one.dataset.connection)"
    assert (await shown.evaluate(names))[0] == "studio", "those with a key come first"
    state = shown.locator("[data-connection=studio] .giv-tag")
    assert await state.inner_text() == "Untested"
    await shown.get_by_role("button", name="Test: studio").click()
    await state.get_by_text("Works").wait_for(timeout=60_000)
    assert await state.locator(".pi-check-circle").count() == 1
    await shown.get_by_role("button", name="Edit: studio").click()
    form = shown.get_by_role("form", name="Connection studio")
    await form.get_by_label("API key").fill("sk-0123456789-wrong")
    await form.get_by_role("button", name="Save").click()
    await state.get_by_text("Key refused").wait_for(timeout=60_000)
    assert await state.locator(".pi-check-circle").count() == 0
    await page.shot("settings-refused")
    assert await shown.locator("[data-connection=xai] .giv-tag").inner_text() == "No key"
    await shown.get_by_role("button", name="Add key: xai").click()
    link = shown.get_by_role("link", name="Get a key from xAI")
    assert await link.get_attribute("href") == "https://console.x.ai"


async def test_a_store_and_a_budget_are_set(page: Any, host: Any) -> None:
    shown = await opened(page)
    await shown.get_by_role("tab", name="Connections").focus()
    await shown.keyboard.press("ArrowRight")
    await shown.get_by_role("button", name="Add store").click()
    form = shown.get_by_role("form", name="Add store")
    await form.get_by_label("Name", exact=True).fill("bucket")
    await form.get_by_label("Bucket", exact=True).fill("clips")
    await form.get_by_label("Secret access key").fill("secret_MARKER_wxyz")
    await form.get_by_text("More", exact=True).click()
    await form.get_by_label("Signed URLs expire after").fill("12")
    await form.get_by_label("Delete uploads after use").select_option("yes")
    # The wheel scrolls the dialog, and not the canvas behind it.
    await shown.set_viewport_size({"width": 900, "height": 600})
    scale = "() => app.canvas.ds.scale"
    before = await shown.evaluate(scale)
    await form.get_by_label("Name", exact=True).hover()
    await shown.mouse.wheel(0, 300)
    scrolled = "() => [...document.querySelectorAll('.giv-dialog *')].some(one => one.scrollTop > 50)"
    await shown.wait_for_function(scrolled)
    assert await shown.evaluate(scale) == before
    await form.get_by_role("button", name="Save").click()
    await shown.locator("[data-store=bucket]").get_by_text("Test failed").wait_for(timeout=60_000)  # at once
    await page.shot("settings-store")
    await shown.get_by_role("tab", name="Budget & limits").click()
    await shown.get_by_label("Per day").fill("2.50")
    await shown.get_by_label("Wait for a clip").fill("10")
    await shown.get_by_label("When a run is interrupted").select_option("drop")
    await shown.get_by_role("button", name="Save", exact=True).click()
    await shown.get_by_text("Saved.").wait_for()
    await page.shot("settings-options")
    stored = json.loads((host.home / "settings.json").read_text())
    assert stored["budget"] == {"per_day": "2.50"}
    assert stored["deadline_seconds"] == 600
    assert stored["on_interrupt"] == "drop"
    bucket = stored["stores"]["bucket"]
    assert bucket["secret_access_key"] == "secret_MARKER_wxyz"
    assert (bucket["url_hours"], bucket["delete_after"]) == (12, True)
    await shown.keyboard.press("Escape")
    await shown.get_by_role("dialog").wait_for(state="detached")


@pytest.mark.parametrize(("language", "title"), [("zh", "连接"), ("ja", "接続")])
async def test_it_speaks_comfyui_s_language(fresh_page: Any, host: Any, language: str, title: str) -> None:
    page = fresh_page
    await page.open(Comfy_Locale=language)
    await page.page.evaluate("() => void window.app.extensionManager.command.execute('GrokImagineVideo.OpenSettings')")
    await page.page.get_by_role("tab", name=title).wait_for()
    await page.shot(f"settings-{language}")


@pytest.mark.parametrize(("theme", "width"), [("dark", 1500), ("light", 1500), ("light", 480)])
async def test_it_is_accessible_in_every_theme_and_width(
    page: Any, host: Any, axe: Path, theme: str, width: int
) -> None:
    await page.page.set_viewport_size({"width": width, "height": 900})
    shown = await opened(page, Comfy_ColorPalette=theme)
    await shown.evaluate(axe.read_text("utf-8"))
    for part in ("Connections", "Stores", "Budget & limits"):
        await shown.get_by_role("tab", name=part).click()
        if part != "Budget & limits":
            await shown.get_by_role("button", name="Add connection" if part == "Connections" else "Add store").click()
        await page.shot(f"settings-{part.split()[0].lower()}-{theme}-{width}")
        found = await shown.evaluate("() => axe.run('.giv-dialog', {resultTypes: ['violations']})")
        serious = [
            (one["id"], [node["target"] for node in one["nodes"]])
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == [], part
