"""Checks of this machine: system, libraries, ComfyUI, the data folder and its disk."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sqlite3
import stat
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from .. import __version__
from ..jobs.pipeline.callbacks import KEY_FILE
from ..journal.database import FILE_NAME as JOURNAL
from ..privacy import is_open_to_others
from ..settings import FILE_NAME as SETTINGS
from ..transport.partial_download import is_in_use
from .requirements import Requirement, parse_requirements, parse_version

ROOT = Path(__file__).resolve().parents[2]
OLDEST_COMFYUI = "0.14.1"
"""Equal to ``requires-comfyui`` in pyproject.toml; a test checks it."""
_ENVIRONMENT, _FOLDER = "environment", "data folder"
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
_OLD_PART_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Check:
    """One line of the report. ``advice`` says what to do about a note or fault."""

    part: str
    name: str
    text: str
    grade: Literal["ok", "note", "fault"] = "ok"
    advice: str = ""


def check_environment(home: Path) -> Iterator[Check]:
    """System, Python, ComfyUI, library versions, and the names of relevant environment variables (not their values)."""
    yield Check(_ENVIRONMENT, "pack", __version__)
    yield Check(_ENVIRONMENT, "system", f"{platform.system()} {platform.release()} {platform.machine()}")
    yield Check(_ENVIRONMENT, "Python", f"{platform.python_version()} {platform.python_implementation()}")
    yield from _comfyui(home)
    for requirement in _requirements():
        yield _library(requirement)
    yield Check(_ENVIRONMENT, "FFmpeg", _ffmpeg())
    yield Check(_ENVIRONMENT, "SQLite", sqlite3.sqlite_version)
    for name in ("torch", "comfyui-frontend-package", "psycopg"):
        if version := _version(name):
            yield Check(_ENVIRONMENT, name, version)
    names = [key for key in sorted(os.environ) if key.upper().startswith("GROK_IMAGINE_") or key.upper() in _PROXIES]
    yield Check(_ENVIRONMENT, "variables set", ", ".join(names) or "none")


def check_folder(home: Path, *, room: int, now: float) -> Iterator[Check]:
    """Permissions of the data folder, at least ``room`` bytes free on its disk, and partial downloads in it.

    Call this before anything opens the folder: opening it restricts the permissions that are checked here.
    """
    if not home.is_dir():
        if home.exists():
            advice = "Move that file, or choose another folder with --home."
            yield Check(_FOLDER, "path", f"{home} is not a folder", "fault", advice)
            return
        yield Check(_FOLDER, "path", f"{home}, created with the first job")
    else:
        yield Check(_FOLDER, "path", str(home))
        yield from _check_access(home)
    existing = next(path for path in (home, *home.parents) if path.is_dir())
    if not os.access(existing, os.W_OK | os.X_OK):
        advice = f"Give your user write access to {existing}, or choose another folder with --home."
        yield Check(_FOLDER, "writing", f"no write access to {existing}", "fault", advice)
    yield _check_disk(existing, room)
    yield from _check_partial_downloads(home / "results", now)


def _check_access(home: Path) -> Iterator[Check]:
    """Whether only their owner can read the folder and the files with keys."""
    is_private = True
    for path in (home, home / "results", home / SETTINGS, home / JOURNAL, home / KEY_FILE):
        if not path.exists():
            continue
        name = "folder" if path == home else path.name
        if os.name == "posix" and path.stat().st_uid != os.geteuid():
            is_private = False
            yield Check(
                _FOLDER, name, "belongs to another user", "fault", f"Run as its owner, or run: chown USER {path}"
            )
        if is_open_to_others(path):
            is_private = False
            how, advice = _access_fix(path)
            if name in ("folder", SETTINGS):
                advice = f"The pack fixes this when it opens it. If it happens again, run: {advice}"
            if name == SETTINGS:
                advice += ". If others use this machine, replace your keys at the providers."
            yield Check(_FOLDER, name, f"other users can read it: {how}", "fault", advice)
    if is_private:
        yield Check(_FOLDER, "access", "only its owner")


def _access_fix(path: Path) -> tuple[str, str]:
    """What lets other users read ``path``, and the command that removes their access."""
    if os.name == "posix":
        return f"mode {stat.S_IMODE(path.stat().st_mode):04o}", f"chmod {700 if path.is_dir() else 600} {path}"
    inherited = "(OI)(CI)" if path.is_dir() else ""
    return "its access control list", f'icacls "{path}" /inheritance:r /grant:r "%USERNAME%:{inherited}F"'


def _check_disk(place: Path, room: int) -> Check:
    free = shutil.disk_usage(place).free
    text = f"{free / 1e9:.1f} GB free"
    if free >= room:
        return Check(_FOLDER, "disk", text)
    advice = f"Free some space: a clip may need {room / 1e9:.1f} GB. To remove old results: grok-imagine prune"
    return Check(_FOLDER, "disk", text, "fault", advice)


def _check_partial_downloads(results: Path, now: float) -> Iterator[Check]:
    """Partial downloads in ``results``. They are resumed, so only those older than a day get a note."""
    parts = [path for path in results.glob(".*.part") if path.is_file()] if results.is_dir() else []
    if not parts:
        yield Check(_FOLDER, "partial downloads", "none")
        return
    size = sum(path.stat().st_size for path in parts)
    idle = [path for path in parts if not is_in_use(path)]
    stale = [path for path in idle if now - path.stat().st_mtime > _OLD_PART_SECONDS]
    text = f"{len(parts)}, {size / 1e6:.1f} MB; {len(parts) - len(idle)} in use, {len(stale)} old"
    if stale:
        advice = (
            "To finish one: grok-imagine resume JOB (list: grok-imagine jobs --unfinished). To remove the others: "
            "grok-imagine prune"
        )
        yield Check(_FOLDER, "partial downloads", text, "note", advice)
    else:
        yield Check(_FOLDER, "partial downloads", text)


def _comfyui(home: Path) -> Iterator[Check]:
    """The ComfyUI that contains this pack or its data folder, or that COMFYUI_PATH names."""
    candidates = [Path(stated)] if (stated := os.environ.get("COMFYUI_PATH")) else []
    candidates += [ROOT.parent.parent] if ROOT.parent.name == "custom_nodes" else []
    candidates += [home.parent.parent] if home.name == "__grok_imagine" else []
    for folder in candidates:
        try:
            text = (folder / "comfyui_version.py").read_text("utf-8")
        except OSError:
            continue
        match = re.search(r"__version__ = [\"']([^\"']+)", text)
        version = match[1] if match else "of unknown version"
        if match and parse_version(version) < parse_version(OLDEST_COMFYUI):
            advice = f"Update ComfyUI to {OLDEST_COMFYUI} or newer."
            yield Check(_ENVIRONMENT, "ComfyUI", f"{version} in {folder}", "fault", advice)
        else:
            yield Check(_ENVIRONMENT, "ComfyUI", f"{version} in {folder}")
        data = folder / "user" / "__grok_imagine"
        if data.is_dir() and data.resolve() != home.resolve():
            advice = f"To check that folder: grok-imagine doctor --home {data}"
            yield Check(_ENVIRONMENT, "ComfyUI's data", "this report is about another data folder", "note", advice)
        return
    yield Check(_ENVIRONMENT, "ComfyUI", "not found; set COMFYUI_PATH to its folder")


def _requirements() -> list[Requirement]:
    """The pack's requirements on this machine, from requirements.txt or the installed metadata."""
    try:
        lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    except OSError:
        try:
            lines = metadata.requires("grok-imagine-video") or []
        except metadata.PackageNotFoundError:
            lines = []
    return parse_requirements(lines)


def _library(requirement: Requirement) -> Check:
    name, extras, oldest = requirement
    version = _version(name)
    if version is not None and parse_version(version) >= parse_version(oldest):
        return Check(_ENVIRONMENT, name, version)
    text = f"{version}, older than the required {oldest}" if version else "missing"
    advice = f'"{sys.executable}" -m pip install "{name}{extras}>={oldest}"'
    return Check(_ENVIRONMENT, name, text, "fault", advice)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _ffmpeg() -> str:
    """Versions of the FFmpeg libraries in PyAV, or why PyAV cannot be loaded."""
    try:
        import av
    except ImportError as error:
        return f"PyAV cannot be loaded: {type(error).__name__}"
    versions: dict[str, tuple[int, ...]] = av.library_versions
    return ", ".join(f"{name} {versions[name][0]}.{versions[name][1]}" for name in ("libavcodec", "libavformat"))


def format_time(now: float) -> str:
    """A Unix time as UTC text, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now))
