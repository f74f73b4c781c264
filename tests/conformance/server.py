"""A provider that answers as real ones do. Imports neither the engine nor the sandbox."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

CLIP = (Path(__file__).parent / "clip.mp4").read_bytes()
"""One second of a test picture, written by the ffmpeg program."""
TASK = "task_7"
DIALECTS = ("reapi", "aivideoapi", "apiinone", "openai_videos", "xai")
KEYS = {"reapi": "rk_live_x1234567", "apiinone": "aio_x1234567", "xai": "xai-x1234567"}
"""Keys of the form that a dialect demands."""


class Reply(NamedTuple):
    """An answer. It waits ``delay`` seconds; ``cut`` closes the connection after so many bytes of the body.

    A cut of 0 closes it without any answer.
    """

    status: int
    headers: dict[str, str]
    body: Any
    delay: float = 0
    cut: int | None = None


class World:
    """What the provider answers, and what reached it. Each answer is a Reply or a tuple of its first fields."""

    def __init__(self) -> None:
        self.submit: Any = (200, {}, {"id": TASK, "status": "queued"})
        self.polls: list[Any] = []
        self.files: dict[str, Any] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.url = ""
        self.drips = False
        """Whether files come 20 bytes at a time."""

    @property
    def posts(self) -> int:
        return len([one for one in self.requests if one[0] == "POST"])

    def asked(self, part: str) -> int:
        return len([one for one in self.requests if one[0] == "GET" and part in one[1]])

    def answer(self, method: str, path: str, body: bytes) -> Any:
        """The answer to a request that was read whole."""
        if method == "POST":
            return self.submit
        for name, reply in self.files.items():
            if path.split("?")[0].endswith(name):
                return reply
        return self.polls.pop(0) if len(self.polls) > 1 else self.polls[0]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    world: World

    def do_GET(self) -> None:
        self._serve("GET", b"")

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size)
        if len(body) == size:  # else the client is gone
            self._serve("POST", body)

    def _serve(self, method: str, sent: bytes) -> None:
        self.world.requests.append((method, self.path, dict(self.headers)))
        reply = Reply(*self.world.answer(method, self.path, sent))
        time.sleep(reply.delay)
        if reply.cut == 0:
            self.close_connection = True
            return
        body = reply.body
        data = body if isinstance(body, bytes) else json.dumps(body).replace("{url}", self.world.url).encode()
        self.send_response(reply.status)
        if not any(name.lower() == "content-type" for name in reply.headers) and not isinstance(body, bytes):
            self.send_header("Content-Type", "application/json")
        for name, value in reply.headers.items():
            self.send_header(name, value.replace("{url}", self.world.url))
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.world.drips and isinstance(body, bytes):
            self._drip(data)
        else:
            self.wfile.write(data[: reply.cut])
        self.close_connection = self.close_connection or reply.cut is not None

    def _drip(self, data: bytes) -> None:
        with suppress(OSError):  # nobody waits for it any longer
            for at in range(0, len(data), 20):
                self.wfile.write(data[at : at + 20])
                time.sleep(0.02)

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:  # the client was killed
            self.close_connection = True

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


SomeWorld = TypeVar("SomeWorld", bound=World)


@contextmanager
def served(world: SomeWorld) -> Iterator[SomeWorld]:
    """The world on a free port of this machine, which its ``url`` names."""
    handler = type("Handler", (_Handler,), {"world": world})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    world.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield world
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def id_answer(dialect: str, name: str) -> Any:
    """A submit's answer, as each provider documents it."""
    bodies = {
        "reapi": {"id": name, "model": "grok-imagine-1.0-video", "status": "processing", "created_at": 1},
        "aivideoapi": {"id": name, "status": "queued", "model": "grok-imagine-text-to-video"},
        "apiinone": {"code": 200, "message": "success", "data": {"task_id": name, "status": "PENDING"}},
        "openai_videos": {"id": name, "object": "video", "status": "queued", "progress": 0},
        "xai": {"request_id": name},
    }
    return 200, {}, bodies[dialect]


def done(dialect: str, url: str = "{url}/clip.mp4", task: str = TASK) -> Any:
    """A poll's answer for a task that is done."""
    bodies = {
        "reapi": {"id": task, "status": "completed", "output": {"video_urls": [url]}, "error": None},
        "aivideoapi": {"id": task, "status": "completed", "output": {"urls": [url]}},
        "apiinone": {"code": 200, "data": {"task_id": task, "status": "COMPLETED", "output": {"video_url": url}}},
        "openai_videos": {"id": task, "object": "video", "status": "completed", "metadata": {"url": url}},
        "xai": {"status": "done", "video": {"url": url, "duration": 1}},
    }
    return 200, {}, bodies[dialect]
