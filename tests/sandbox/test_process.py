"""The sandbox as a process: its one line, kill -9 and its memory, and dying with its parent."""

from __future__ import annotations

import asyncio
import json
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

ROOT = Path(__file__).resolve().parents[2]
KEY = {"Authorization": "Bearer sk-sandbox"}
BODY = {"model": "grok-imagine", "prompt": "a lake", "duration": 1}


class Process:
    def __init__(self, *options: str) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-m", "grok_imagine.sandbox", *options],
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.child.stdout is not None
        self.hello: dict[str, Any] = json.loads(self.child.stdout.readline())
        self.url: str = self.hello["url"]

    def end(self) -> None:
        self.child.kill()
        self.child.wait()
        for pipe in (self.child.stdin, self.child.stdout, self.child.stderr):
            assert pipe is not None
            pipe.close()


async def ask(method: str, url: str, **more: Any) -> Any:
    async with aiohttp.ClientSession() as http, http.request(method, url, **more) as reply:
        return await reply.json(content_type=None)


async def until_done(url: str, task: str) -> Any:
    for _ in range(400):
        body = await ask("GET", f"{url}/openai_videos/v1/videos/{task}", headers=KEY)
        if body.get("status") == "completed":
            return body
        await asyncio.sleep(0.05)
    raise AssertionError(body)


async def test_memory_survives_kill_9(tmp_path: Path) -> None:
    """Killed before the task is done; the next process renders its clip, and charges nothing again."""
    state = tmp_path / "state"
    options = ("--state", str(state), "--seconds", "0.5")
    first = Process(*options)
    try:
        assert first.hello == {"url": first.url, "pid": first.child.pid}
        picture = await ask("POST", first.url + "/_sandbox/uploads", data=_png())
        submit = first.url + "/openai_videos/v1/videos"
        done = (await ask("POST", submit, json=BODY, headers=KEY))["id"]
        finished = await until_done(first.url, done)
        pending = (await ask("POST", submit, json={**BODY, "image": picture["url"]}, headers=KEY))["id"]
    finally:
        first.end()
    second = Process(*options)
    try:
        again = await until_done(second.url, done)
        assert again["completed_at"] == finished["completed_at"]
        async with aiohttp.ClientSession() as http, http.get(again["metadata"]["url"]) as reply:
            assert (await reply.read())[4:8] == b"ftyp"
        later = await until_done(second.url, pending)
        async with aiohttp.ClientSession() as http, http.get(later["metadata"]["url"]) as reply:
            assert (await reply.read())[4:8] == b"ftyp"
        ledger = await ask("GET", second.url + "/_sandbox/ledger")
        assert (ledger["submits"], [e["kind"] for e in ledger["entries"]]) == (2, ["charge", "charge"])
    finally:
        second.end()
    if sys.platform != "win32":
        modes = {stat.S_IMODE(p.stat().st_mode) for p in state.rglob("*") if p.is_file()}
        assert modes == {0o600}
        assert {stat.S_IMODE(p.stat().st_mode) for p in (state, *state.iterdir()) if p.is_dir()} == {0o700}


def _png() -> bytes:
    import io

    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(out, "PNG")
    return out.getvalue()


def test_it_ends_when_its_standard_input_ends() -> None:
    process = Process("--exit-with-parent")
    assert process.child.stdin is not None
    process.child.stdin.close()
    assert process.child.wait(timeout=10) == 0
    process.end()


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_it_dies_with_a_killed_parent() -> None:
    script = (
        "import subprocess, sys, time\n"
        "p = subprocess.Popen([sys.executable, '-m', 'grok_imagine.sandbox', '--exit-with-parent'],"
        " stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "sys.stdout.write(p.stdout.readline().decode()); sys.stdout.flush(); time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    url = json.loads(parent.stdout.readline())["url"]
    host, port = url.removeprefix("http://").split(":")
    parent.kill()
    parent.communicate()
    assert _gone(host, int(port))


def _gone(host: str, port: int) -> bool:
    import socket

    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex((host, port)) != 0:
                return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", "example.com", "::"])
def test_only_loopback(host: str) -> None:
    child = subprocess.run(
        [sys.executable, "-m", "grok_imagine.sandbox", "--host", host],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
    )
    assert child.returncode == 2
    assert "loopback" in child.stderr
    assert child.stdout == ""


def test_a_temporary_state_leaves_nothing_behind(tmp_path: Path) -> None:
    import os

    env = {**os.environ, "TMPDIR": str(tmp_path), "TMP": str(tmp_path), "TEMP": str(tmp_path)}
    child = subprocess.run(
        [sys.executable, "-m", "grok_imagine.sandbox", "--exit-with-parent"],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=True,
        stdin=subprocess.DEVNULL,
        env=env,
    )
    assert json.loads(child.stdout)["url"].startswith("http://127.0.0.1:")
    assert list(tmp_path.iterdir()) == []
