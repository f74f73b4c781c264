"""A real ComfyUI with the pack in it: COMFYUI_PATH names its folder, COMFYUI_PYTHON the interpreter that runs it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = "comfyui-grok-imagine"
MARK = "MARKER"
DYNAMIC = "COMFY_DYNAMICCOMBO_V3"
"""A list whose chosen option has inputs of its own; a prompt names them ``list.input``."""
KEYS = {
    "REAPI_API_KEY": f"rk_live_{MARK}1reapi",
    "AIVIDEOAPI_API_KEY": f"aio_{MARK}2aivideo",
    "APIINONE_API_KEY": f"sk-{MARK}3apiinone",
    "XAI_API_KEY": f"xai-{MARK}4xai",
    "OPENAI_VIDEOS_API_KEY": f"sk-{MARK}5gateway",
    "GROK_IMAGINE_CONNECTIONS__STUDIO__DIALECT": "openai_videos",
    "GROK_IMAGINE_CONNECTIONS__STUDIO__BASE_URL": "https://gateway.invalid",
    "GROK_IMAGINE_CONNECTIONS__STUDIO__API_KEY": f"sk-{MARK}6studio",
}

CROP_NODE = """
from comfy_api.latest import InputImpl, Types, io

Base = InputImpl.VideoFromFile

class Cropped(Base):
    # What as_cropped gives since 0.35, for the versions before it.
    def __init__(self, file, *, start_time=0, duration=0, crop=None):
        super().__init__(file, start_time=start_time, duration=duration)
        self.crop = crop

    def get_dimensions(self):
        return self.crop[2:] if self.crop else super().get_dimensions()

    def get_components(self):
        parts = super().get_components()
        x, y, width, height = self.crop
        images = parts.images[:, y:y + height, x:x + width]
        return Types.VideoComponents(images=images, audio=parts.audio, frame_rate=parts.frame_rate)

    def save_to(self, path, **options):
        InputImpl.VideoFromComponents(self.get_components()).save_to(path, **options)

Cropped.__name__ = "VideoFromFile"

class CropForTests(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        numbers = [io.Int.Input(name, default=0) for name in ("x", "y", "width", "height")]
        return io.Schema("CropForTests", "Crop", "tests", inputs=[io.Video.Input("video"), *numbers],
                         outputs=[io.Video.Output()])

    @classmethod
    def execute(cls, video, x, y, width, height):
        if hasattr(video, "as_cropped"):
            return io.NodeOutput(video.as_cropped(x, y, width, height))
        start, duration = video._VideoFromFile__start_time, video._VideoFromFile__duration
        crop = (x, y, width, height)
        return io.NodeOutput(Cropped(video.get_stream_source(), start_time=start, duration=duration, crop=crop))

NODE_CLASS_MAPPINGS = {"CropForTests": CropForTests}
"""


class Comfy:
    """The running server, driven as its own page drives it."""

    def __init__(self, port: int, base: Path) -> None:
        self.url, self.base = f"http://127.0.0.1:{port}", base
        self.log = base / "server.log"
        self.has_written_nothing_at_start = False

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.load(answer)

    def post(self, path: str, body: Any) -> Any:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    async def run(self, prompt: dict[str, Any], *, during: Any = None) -> Run:
        """Queue the prompt and hear its events until it ends. ``during(event)`` may act meanwhile."""
        client, events = uuid.uuid4().hex, list[tuple[float, str, Any]]()
        address = f"{self.url.replace('http', 'ws')}/ws?clientId={client}"
        async with aiohttp.ClientSession() as http, http.ws_connect(address) as page:
            await page.send_json({"type": "feature_flags", "data": {}})
            extra = {"extra_pnginfo": {"workflow": {"nodes": []}}}
            body = {"prompt": prompt, "client_id": client, "extra_data": extra}
            began = time.monotonic()
            prompt_id = (await asyncio.to_thread(self.post, "/prompt", body))["prompt_id"]
            async for message in page:
                if message.type is aiohttp.WSMsgType.BINARY:
                    kind = "text" if message.data[:4] == b"\0\0\0\3" else "binary"
                    event = (time.monotonic() - began, kind, message.data[4:].decode("utf-8", "replace"))
                else:
                    told = json.loads(message.data)
                    event = (time.monotonic() - began, told["type"], told["data"])
                events.append(event)
                if during is not None:
                    await during(event)
                of_ours = isinstance(event[2], dict) and event[2].get("prompt_id") == prompt_id
                if of_ours and event[1] in ("execution_success", "execution_error", "execution_interrupted"):
                    break
        for _ in range(50):
            history = await asyncio.to_thread(self.get, f"/history/{prompt_id}")
            if prompt_id in history:
                return Run(event[1], event[2], events, history[prompt_id]["outputs"])
            await asyncio.sleep(0.1)
        raise AssertionError("the prompt is not in the history")

    def files(self, result: Run, node: str) -> list[Path]:
        """The files that a Save node wrote."""
        every = result.outputs[node]["images"]
        return [self.base / one["type"] / one["subfolder"] / one["filename"] for one in every]

    def file(self, result: Run, node: str) -> Path:
        """The one file that a Save node wrote."""
        (found,) = self.files(result, node)
        return found

    @property
    def home(self) -> Path:
        return self.base / "user" / "__grok_imagine"


class Run:
    """How a prompt ended."""

    def __init__(self, end: str, last: Any, events: list[tuple[float, str, Any]], outputs: dict[str, Any]) -> None:
        self.end, self.last, self.events, self.outputs = end, last, events, outputs

    def texts(self, node: str) -> list[tuple[float, str]]:
        """The progress texts of a node: the message holds the id's length, the id, the text."""
        return [
            (at, text[4 + len(node) :])
            for at, kind, text in self.events
            if kind == "text" and text[4:].startswith(node)
        ]


def new_folder(base: Path) -> Path:
    """A base directory for a ComfyUI, with the pack in it. Skips where there is no ComfyUI."""
    if not os.environ.get("COMFYUI_PATH") or not os.environ.get("COMFYUI_PYTHON"):
        pytest.skip("COMFYUI_PATH and COMFYUI_PYTHON are not set")
    for name in ("custom_nodes", "input", "output", "user", "temp", "models"):
        (base / name).mkdir()
    (base / "custom_nodes" / FOLDER).symlink_to(ROOT)
    (base / "custom_nodes" / "crop_for_tests.py").write_text(CROP_NODE, "utf-8")
    return base


def start(base: Path) -> tuple[Comfy, subprocess.Popen[bytes]]:
    """A ComfyUI on that base directory; it is awaited with ``wait_for``, and whoever starts it ends it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Comfy(port, base)
    command = [os.environ["COMFYUI_PYTHON"], "main.py", "--cpu", "--listen", "127.0.0.1", "--port", str(port)]
    command += ["--base-directory", str(base)]
    command += ["--database-url", f"sqlite:///{base}/comfyui.db", "--disable-auto-launch"]
    with server.log.open("ab") as log:
        process = subprocess.Popen(
            command, cwd=os.environ["COMFYUI_PATH"], stdout=log, stderr=log, env={**os.environ, **KEYS}
        )
    return server, process


@pytest.fixture(scope="session")
def comfy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comfy]:
    server, process = start(new_folder(tmp_path_factory.mktemp("comfyui")))
    try:
        wait_for(server, process)
        server.has_written_nothing_at_start = not server.home.exists()
        yield server
    finally:
        process.terminate()
        process.wait(30)


def wait_for(server: Comfy, process: subprocess.Popen[bytes]) -> None:
    for _ in range(480):
        assert process.poll() is None, server.log.read_text("utf-8")
        try:
            server.get("/system_stats")
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise AssertionError("ComfyUI did not start:\n" + server.log.read_text("utf-8"))


@pytest.fixture(scope="session")
def sandbox(comfy: Comfy) -> Any:
    """The address of the sandbox that the pack itself starts, learned from a first small clip."""
    prompt = {"1": text_node(prompt="a first clip"), "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 3]}}}
    result = asyncio.run(comfy.run(prompt))
    assert result.end == "execution_success", result.last
    url = result.outputs["2"]["text"][0]

    def ask(path: str) -> Any:
        with urllib.request.urlopen(url.split("/cdn/")[0] + path, timeout=10) as answer:
            return json.load(answer)

    ask.url = url.split("/cdn/")[0]  # type: ignore[attr-defined]
    return ask


def text_node(**inputs: Any) -> dict[str, Any]:
    """A Grok Imagine: Text to Video node of one second."""
    plain = {"model": "auto", "resolution": "auto", "aspect_ratio": "auto", "motion_mode": "auto", "seed": 0}
    return {
        "class_type": "GIVTextToVideo",
        "inputs": {"connection": "sandbox-xai", "prompt": "a kite", "duration": 1, **plain, **inputs},
    }


@pytest.fixture(scope="session")
def text() -> Any:
    return text_node


@pytest.fixture(scope="session")
def save() -> Any:
    """A Save Video node on that node's VIDEO."""

    def node(source: str, name: str = "video/test") -> dict[str, Any]:
        # The codec is of the node itself in older versions, of the chosen format in newer ones.
        inputs = {"video": [source, 0], "filename_prefix": name, "format": "auto", "codec": "auto"}
        return {"class_type": "SaveVideo", "inputs": {**inputs, "format.codec": "auto"}}

    return node


@pytest.fixture(scope="session")
def as_prompt(comfy: Comfy) -> Any:
    """Turns a workflow as the page keeps it into what the page sends."""
    known = comfy.get("/object_info")

    def turn(workflow: dict[str, Any]) -> dict[str, Any]:
        links = {link[0]: [str(link[1]), link[2]] for link in workflow["links"]}
        return {
            str(node["id"]): {"class_type": node["type"], "inputs": _inputs(node, known[node["type"]], links)}
            for node in workflow["nodes"]
            if node["type"] in known
        }

    return turn


def _inputs(node: dict[str, Any], info: dict[str, Any], links: dict[int, Any]) -> dict[str, Any]:
    found = _values(info["input"], iter(node["widgets_values"]))
    sockets = {one["name"]: links[one["link"]] for one in node["inputs"] if one.get("link") is not None}
    return {**found, **sockets}


def _values(inputs: dict[str, Any], values: Iterator[Any], prefix: str = "") -> dict[str, Any]:
    """The values of the widgets, which stand in the order of the inputs; those of a chosen option come after it."""
    found: dict[str, Any] = {}
    for part in ("required", "optional"):
        for name, (kind, *more) in inputs.get(part, {}).items():
            options = more[0] if more else {}
            value = next(values, None) if _has_widget(kind) else None
            if kind == DYNAMIC and value is None:
                value = options["options"][0]["key"]
            if value is not None:
                found[prefix + name] = value
            if options.get("control_after_generate"):
                next(values)
            for option in options["options"] if kind == DYNAMIC and value is not None else ():
                if option["key"] == value:
                    found |= _values(option["inputs"], values, f"{prefix}{name}.")
    return found


def _has_widget(kind: Any) -> bool:
    return kind in ("COMBO", "STRING", "INT", "FLOAT", "BOOLEAN", DYNAMIC) or isinstance(kind, list)
