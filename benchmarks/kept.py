"""What was measured, kept as JSON in artifacts/bench, so that it can be measured in parts; report.py makes the page."""

from __future__ import annotations

import json
import os
import platform
import re
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "artifacts" / "bench"


def load(name: str) -> dict[str, Any]:
    """What was kept under that name; nothing is an empty one."""
    file = FOLDER / f"{name}.json"
    return json.loads(file.read_text("utf-8")) if file.exists() else {}


def save(name: str, told: dict[str, Any]) -> None:
    """Keep it, with the machine that it was measured on."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    part = FOLDER / f"{name}.part"
    part.write_text(json.dumps({**told, "machine": machine()}, indent=1), "utf-8")
    part.replace(FOLDER / f"{name}.json")


def machine() -> str:
    """In one line: system, processor, memory, and the versions that count."""
    libraries = (("PyAV", "av"), ("NumPy", "numpy"), ("Pillow", "pillow"))
    versions = ", ".join(f"{name} {metadata.version(package)}" for name, package in libraries)
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores{_processor()}{_memory()}, "
        f"Python {platform.python_version()}, {versions}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((f" ({line.split(':')[1].strip()})" for line in lines if line.startswith("model name")), "")


def _memory() -> str:
    if not hasattr(os, "sysconf"):
        return ""
    return f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB"


def comfyui() -> str:
    """Which ComfyUI COMFYUI_PATH names; empty if none."""
    if not (stated := os.environ.get("COMFYUI_PATH")):
        return ""
    found = re.search(r'__version__ = "(.+)"', (Path(stated) / "comfyui_version.py").read_text("utf-8"))
    return f"ComfyUI {found[1]}" if found else "ComfyUI"
