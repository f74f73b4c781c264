"""What this machine says of itself: system, libraries, ComfyUI if it is there, the data folder and its disk."""

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

ROOT = Path(__file__).resolve().parents[2]
OLDEST_COMFYUI = "0.14.1"
"""As pyproject.toml says to the registry (``requires-comfyui``)."""
_ENVIRONMENT, _FOLDER = "environment", "data folder"
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
_OLD_PART_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Check:
    """One line of the page. A fault carries an advice: what to do about it."""

    part: str
    name: str
    text: str
    grade: Literal["ok", "note", "fault"] = "ok"
    advice: str = ""


def environment(home: Path) -> Iterator[Check]:
    """The system, Python, ComfyUI, the libraries that count and the variables that matter (never their values)."""
    yield Check(_ENVIRONMENT, "pack", __version__)
    yield Check(_ENVIRONMENT, "system", f"{platform.system()} {platform.release()} {platform.machine()}")
    yield Check(_ENVIRONMENT, "Python", f"{platform.python_version()} {platform.python_implementation()}")
    yield from _comfyui(home)
    for name, least in _requirements():
        yield _library(name, least)
    yield Check(_ENVIRONMENT, "FFmpeg", _ffmpeg())
    yield Check(_ENVIRONMENT, "SQLite", sqlite3.sqlite_version)
    for name in ("torch", "comfyui-frontend-package", "psycopg"):
        if version := _version(name):
            yield Check(_ENVIRONMENT, name, version)
    named = [one for one in sorted(os.environ) if one.upper().startswith("GROK_IMAGINE_") or one.upper() in _PROXIES]
    yield Check(_ENVIRONMENT, "variables set", ", ".join(named) or "none of ours, no proxy")


def folder(home: Path, *, room: int, now: float) -> Iterator[Check]:
    """The data folder: who may read it, whether it can be written, ``room`` in bytes on its disk, what was left over.

    Look before anything opens it: opening closes the folder and the settings file to others.
    """
    if not home.is_dir():
        if home.exists():
            advice = "Move that file away, or name another folder with --home."
            yield Check(_FOLDER, "path", f"{home} is no folder", "fault", advice)
            return
        yield Check(_FOLDER, "path", f"{home}, not there yet; made with the first job")
    else:
        yield Check(_FOLDER, "path", str(home))
        yield from _access(home)
    above = next(one for one in (home, *home.parents) if one.is_dir())
    if not os.access(above, os.W_OK | os.X_OK):
        advice = f"Let your user write to {above}, or name another folder with --home."
        yield Check(_FOLDER, "writing", f"{above} cannot be written", "fault", advice)
    yield _disk(above, room)
    yield from _parts(home / "results", now)


def _access(home: Path) -> Iterator[Check]:
    """A key in a file that others may read is a key that others may have."""
    good = True
    for path in (home, home / "results", home / SETTINGS, home / JOURNAL, home / KEY_FILE):
        if not path.exists():
            continue
        name = "folder" if path == home else path.name
        if os.name == "posix" and path.stat().st_uid != os.geteuid():
            good = False
            yield Check(_FOLDER, name, "belongs to another user", "fault", f"Run as its owner, or: chown USER {path}")
        if is_open_to_others(path):
            good = False
            how, advice = _closing(path)
            if name in ("folder", SETTINGS):
                advice = f"The pack mends it whenever it opens it. Should it come back: {advice}"
            if name == SETTINGS:
                advice += ". If others use this machine, have new keys made at the providers."
            yield Check(_FOLDER, name, f"others may read it: {how}", "fault", advice)
    if good:
        yield Check(_FOLDER, "access", "for its owner alone")


def _closing(path: Path) -> tuple[str, str]:
    """What shows that others may read it, and the command that keeps them out."""
    if os.name == "posix":
        return f"mode {stat.S_IMODE(path.stat().st_mode):04o}", f"chmod {700 if path.is_dir() else 600} {path}"
    inherited = "(OI)(CI)" if path.is_dir() else ""
    return "its access control list", f'icacls "{path}" /inheritance:r /grant:r "%USERNAME%:{inherited}F"'


def _disk(place: Path, room: int) -> Check:
    free = shutil.disk_usage(place).free
    text = f"{free / 1e9:.1f} GB free"
    if free >= room:
        return Check(_FOLDER, "disk", text)
    advice = f"Free some space: a clip may need {room / 1e9:.1f} GB. grok-imagine prune removes old results."
    return Check(_FOLDER, "disk", text, "fault", advice)


def _parts(results: Path, now: float) -> Iterator[Check]:
    """Downloads that broke off. They are gone on from, so only old ones are worth a word."""
    found = [one for one in results.glob(".*.part") if one.is_file()] if results.is_dir() else []
    if not found:
        yield Check(_FOLDER, "left-over parts", "none")
        return
    size = sum(one.stat().st_size for one in found)
    idle = [one for one in found if not is_in_use(one)]
    old = [one for one in idle if now - one.stat().st_mtime > _OLD_PART_SECONDS]
    text = f"{len(found)} unfinished downloads, {size / 1e6:.1f} MB; {len(found) - len(idle)} in use, {len(old)} old"
    if old:
        advice = (
            "grok-imagine resume JOB goes on with one (see: grok-imagine jobs --unfinished), prune removes the rest."
        )
        yield Check(_FOLDER, "left-over parts", text, "note", advice)
    else:
        yield Check(_FOLDER, "left-over parts", text)


def _comfyui(home: Path) -> Iterator[Check]:
    """Where this pack or its data folder lies in a ComfyUI, or COMFYUI_PATH names one."""
    places = [Path(stated)] if (stated := os.environ.get("COMFYUI_PATH")) else []
    places += [ROOT.parent.parent] if ROOT.parent.name == "custom_nodes" else []
    places += [home.parent.parent] if home.name == "__grok_imagine" else []
    for place in places:
        try:
            text = (place / "comfyui_version.py").read_text("utf-8")
        except OSError:
            continue
        found = re.search(r"__version__ = [\"']([^\"']+)", text)
        version = found[1] if found else "of unknown version"
        if found and numbers(version) < numbers(OLDEST_COMFYUI):
            advice = f"Update ComfyUI to {OLDEST_COMFYUI} or newer."
            yield Check(_ENVIRONMENT, "ComfyUI", f"{version} in {place}", "fault", advice)
        else:
            yield Check(_ENVIRONMENT, "ComfyUI", f"{version} in {place}")
        own = place / "user" / "__grok_imagine"
        if own.is_dir() and own.resolve() != home.resolve():
            advice = f"To look at that one: grok-imagine doctor --home {own}"
            yield Check(_ENVIRONMENT, "ComfyUI's data", "this page is about another data folder", "note", advice)
        return
    yield Check(_ENVIRONMENT, "ComfyUI", "not found from here; COMFYUI_PATH can name it")


def _requirements() -> list[tuple[str, str]]:
    """The pack's requirements and their oldest versions: from its folder, else as it was installed."""
    try:
        lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    except OSError:
        try:
            lines = [one for one in metadata.requires("grok-imagine-video") or [] if ";" not in one]
        except metadata.PackageNotFoundError:
            lines = []
    found = (re.match(r"([A-Za-z0-9_.-]+)\s*>=\s*([0-9.]+)", line) for line in lines)
    return [(one[1], one[2]) for one in found if one]


def _library(name: str, least: str) -> Check:
    version = _version(name)
    if version is not None and numbers(version) >= numbers(least):
        return Check(_ENVIRONMENT, name, version)
    text = f"{version}, and {least} is the oldest that will do" if version else "missing"
    advice = f'"{sys.executable}" -m pip install "{name}>={least}"'
    return Check(_ENVIRONMENT, name, text, "fault", advice)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _ffmpeg() -> str:
    """Of the libraries that PyAV brings; a broken install is told as what it is."""
    try:
        import av
    except ImportError as error:
        return f"PyAV cannot be loaded: {type(error).__name__}"
    versions: dict[str, tuple[int, ...]] = av.library_versions
    return ", ".join(f"{name} {versions[name][0]}.{versions[name][1]}" for name in ("libavcodec", "libavformat"))


def numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, to compare by: ``0.14.1rc1`` is (0, 14, 1)."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def today(now: float) -> str:
    """The moment, in UTC, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now))
