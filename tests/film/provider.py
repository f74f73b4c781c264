"""A provider for films, in xAI's dialect: every task has a clip of its own, and its books say what was submitted.

It imports nothing of the engine and nothing of the sandbox.
"""

from __future__ import annotations

import colorsys
import hashlib
import io
import json
import threading
import time
from fractions import Fraction
from functools import cache
from typing import Any

import av
import numpy as np

from tests.conformance.server import World

KEY = "xai-x1234567"
FRAMES, RATE = 8, 24
SIGNATURE = "c2lnbmVkIQ-marker"
REFUSED = 400, {}, {"code": "Client specified an invalid argument", "error": "not this one"}


class FilmProvider(World):
    """Accepts every POST, but for prompts with ``[refused]`` and those after the first ``most``, and charges for each.

    A task is done ``seconds`` after its POST.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self.tasks: list[dict[str, Any]] = []
        self.most = 10**6
        self.seconds = 0.0

    @property
    def prompts(self) -> list[str]:
        """The prompts of all accepted POSTs, in order."""
        return [task["prompt"] for task in self.tasks]

    def answer(self, method: str, path: str, body: bytes) -> Any:
        name = path.split("?")[0].rpartition("/")[2]
        with self._lock:
            if method == "POST":
                return self._submit(json.loads(body))
        if name.endswith(".mp4"):
            return 200, {"Content-Type": "video/mp4"}, clip(name)
        if time.monotonic() < next(task["done_at"] for task in self.tasks if task["id"] == name):
            return 200, {}, {"status": "pending"}
        return 200, {}, {"status": "done", "video": {"url": f"{{url}}/{name}.mp4?Signature={SIGNATURE}", "duration": 1}}

    def _submit(self, body: dict[str, Any]) -> Any:
        if "[refused]" in body["prompt"] or len(self.tasks) >= self.most:
            return REFUSED
        task = f"task_{len(self.tasks):05d}"
        images = [body["image"]] if "image" in body else body.get("reference_images", [])
        digests = [hashlib.sha256(one["url"].encode()).hexdigest()[:16] for one in images]
        done_at = time.monotonic() + self.seconds
        self.tasks.append({"id": task, "prompt": body["prompt"], "images": digests, "done_at": done_at})
        return 200, {}, {"request_id": task}


@cache
def clip(name: str) -> bytes:
    """A short clip in a colour of the task's own, a little brighter with each frame."""
    hue = int(hashlib.sha256(name.encode()).hexdigest()[:6], 16) / 0xFFFFFF
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=Fraction(RATE), options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number in range(FRAMES):
            colour = colorsys.hsv_to_rgb(hue, 0.7, 0.5 + 0.02 * number)
            picture = np.broadcast_to((np.array(colour) * 255).astype(np.uint8), (64, 96, 3)).copy()
            picture[:, :: 8 + number] //= 2
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()
