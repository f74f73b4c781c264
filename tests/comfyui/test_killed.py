"""The server dies while a graph waits. Started again and given the same graph, it pays once, and the clip arrives."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from .conftest import ROOT, new_folder, start, wait_for

pytestmark = [pytest.mark.comfyui, pytest.mark.slow]


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Any]:
    """A sandbox of its own, as a provider is: it outlives the server. Its clock stands still until it is wound."""
    command = [sys.executable, "-m", "grok_imagine.cli", "sandbox", "--exit-with-parent", "--clock", "manual"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        url = json.loads(process.stdout.readline())["url"]

        def ask(path: str, body: Any = None) -> Any:
            data = None if body is None else json.dumps(body).encode()
            with urllib.request.urlopen(urllib.request.Request(url + path, data), timeout=10) as reply:
                return json.load(reply)

        ask.url = url  # type: ignore[attr-defined]
        yield ask
        process.stdin.close()
        process.wait(20)


async def test_killed_while_a_graph_waits(apart: Any, tmp_path: Path, text: Any, save: Any) -> None:
    base = new_folder(tmp_path)
    home = base / "user" / "__grok_imagine"
    home.mkdir(mode=0o700, parents=True)
    (home / "settings.json").write_text(json.dumps({"sandbox_url": apart.url}))
    prompt = {"1": text(connection="sandbox", prompt="a server dies", duration=6, resolution="480p"), "2": save("1")}
    server, process = start(base)
    try:
        await asyncio.to_thread(wait_for, server, process)

        async def kill(event: Any) -> None:
            if event[1] == "text" and apart("/_sandbox/ledger")["submits"]:
                process.send_signal(signal.SIGKILL)

        # The server's end is seen by its page as a broken connection, or as no answer to the next question.
        with contextlib.suppress(OSError, aiohttp.ClientError):
            await asyncio.wait_for(server.run(prompt, during=kill), 120)
        assert process.wait(30) == -signal.SIGKILL
    finally:
        process.kill()
    assert apart("/_sandbox/ledger")["submits"] == 1
    server, process = start(base)
    try:
        await asyncio.to_thread(wait_for, server, process)

        async def wind(event: Any) -> None:
            if event[1] == "text":
                await asyncio.to_thread(apart, "/_sandbox/clock", {"advance": 5})

        result = await asyncio.wait_for(server.run(prompt, during=wind), 240)
        assert result.end == "execution_success", result.last
        assert server.file(result, "2").read_bytes()[4:8] == b"ftyp"
        ledger = apart("/_sandbox/ledger")
        assert (ledger["submits"], ledger["posts"]) == (1, 1)
        assert [entry["kind"] for entry in ledger["entries"]] == ["charge"]
    finally:
        process.terminate()
        process.wait(30)
