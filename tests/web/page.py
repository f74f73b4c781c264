"""ComfyUI's page in the tests: opened once and put back between them, or opened anew."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .conftest import Host

ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts"
VIEWPORT = {"width": 1500, "height": 950}
PLAIN: dict[str, Any] = {
    "Comfy.TutorialCompleted": True,
    "Comfy.Locale": "en",
    "Comfy.ColorPalette": "dark",
    "Comfy.Workflow.ShowMissingModelsWarning": False,
    "Comfy.Workflow.ShowMissingNodesWarning": False,
    "Comfy.InstalledVersion": "1.30.0",
    "Comfy.Release.Status": "skipped",
    "Comfy.VueNodes.AutoScaleLayout": False,
    "Comfy.Minimap.Visible": False,
}
"""ComfyUI's settings in all tests that do not say otherwise."""
QUOTES = "/extensions/comfyui-grok-imagine/lib/node/quotes.mjs"
SETTLED = f"""async () => {{ const {{ isSettled }} = await import('{QUOTES}');
    while (!isSettled()) await new Promise(next => setTimeout(next, 20)); }}"""
SET = """async (settings) => {
    const setting = window.app.extensionManager.setting;
    for (const [name, value] of Object.entries(settings)) {
        if (setting.get(name) !== value) await setting.set(name, value);
    }
}"""
RESET = """async () => {
    for (const one of document.querySelectorAll('dialog[open]')) one.close('');
    for (const one of document.querySelectorAll('.p-toast-close-button')) one.click();
    const { sidebarTab } = window.app.extensionManager;
    if (sidebarTab.activeSidebarTabId) sidebarTab.toggleSidebarTab(sidebarTab.activeSidebarTabId);
    window.app.clean();
    window.app.graph.clear();
    window.app.canvas.ds.reset();
    window.app.canvas.setDirty(true, true);
    document.activeElement?.blur();
    localStorage.clear();
    sessionStorage.clear();
}"""
COMFYUIS_DIALOG = ".p-dialog-mask"


class Page:
    """A playwright page, with what most tests do on it."""

    def __init__(self, page: Any, host: Host, world: str, wait: Callable[[Any], Awaitable[None]]) -> None:
        self.page, self.host, self.world, self._wait = page, host, world, wait
        self.is_vue = world.endswith("vue")
        self.is_open = False
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(f"{error}\n{error.stack}"))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.page, name)

    async def open(self, **settings: Any) -> Page:
        """Have ComfyUI with an empty graph. ``settings`` may spell ids with ``_`` for the dot.

        A page that is open already stays so, and takes the settings: one that ComfyUI or the pack reads only at the
        start, as the language is, needs ``fresh_page``.
        """
        wanted = {**self._plain(), **{name.replace("_", "."): value for name, value in settings.items()}}
        self.host.ask("/settings", wanted)
        if self.is_open:
            await self.page.evaluate(SET, wanted)
            await self.page.evaluate(f"async () => (await import('{QUOTES}')).refresh()")
            await self.quoted()
        else:
            await self.page.goto(self.host.url, wait_until="domcontentloaded")
            await self.ready()
            await self.page.evaluate("() => window.app.graph.clear()")
            self.is_open = True
        return self

    def _plain(self) -> dict[str, Any]:
        return {**PLAIN, "Comfy.VueNodes.Enabled": self.is_vue}

    async def quoted(self) -> None:
        """Await the quotes of all nodes that have changed."""
        await self.page.evaluate(SETTLED)

    async def reset(self) -> None:
        """Put everything back that a test may have changed."""
        for _ in range(5):
            if not await self.page.locator(COMFYUIS_DIALOG).count():
                break
            await self.page.keyboard.press("Escape")
            await self.still(f"() => document.querySelectorAll('{COMFYUIS_DIALOG}').length")
        await self.page.evaluate(RESET)
        await self.page.evaluate(SET, self._plain())
        await self.page.unroute_all()
        await self.page.set_viewport_size(VIEWPORT)
        # Over the bare canvas: a tab that the pointer rests on shows a preview, which covers what lies below it.
        await self.page.mouse.move(VIEWPORT["width"] // 2, VIEWPORT["height"] - 100)

    async def ready(self) -> None:
        await self._wait(self.page)

    async def reload(self) -> None:
        await self.page.reload(wait_until="domcontentloaded")
        await self.ready()

    async def still(self, script: str, frames: int = 10) -> Any:
        """Await that what ``script``, a function, returns stays the same for so many drawn frames. Returns it."""
        whole = f"""frames => new Promise(done => {{
            let before, same = 0;
            const look = () => {{
                const now = JSON.stringify(({script})());
                same = now === before ? same + 1 : 0;
                before = now;
                if (same < frames) requestAnimationFrame(look);
                else done(now);
            }};
            look();
        }})"""
        return json.loads(await asyncio.wait_for(self.page.evaluate(whole, frames), 60))

    async def add(self, kind: str, x: int = 60, y: int = 60) -> Any:
        """Add a node, as choosing it in the search does; returns its id."""
        script = """([kind, x, y]) => { const node = LiteGraph.createNode(kind); node.pos = [x, y];
            window.app.graph.add(node); return node.id }"""
        return await self.page.evaluate(script, [kind, x, y])

    async def node(self, number: Any, script: str, *arguments: Any) -> Any:
        """Evaluate ``script``, a function of the node and the arguments."""
        whole = f"([id, ...more]) => ({script})(window.app.graph.getNodeById(id), ...more)"
        return await self.page.evaluate(whole, [number, *arguments])

    async def fit(self) -> None:
        await self.page.evaluate("() => window.app.extensionManager.command.execute('Comfy.Canvas.FitView')")
        await self.still("() => [window.app.canvas.ds.scale, ...window.app.canvas.ds.offset]")  # the view glides

    async def shot(self, name: str) -> None:
        ARTIFACTS.mkdir(exist_ok=True)
        await self.page.screenshot(path=str(ARTIFACTS / f"{name}-{self.world}.png"))
