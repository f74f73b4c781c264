"""The independent provider as a process of its own, with faults and with books: who posted what, and what it cost.

It takes orders as JSON lines on its standard input: ``{"dialect": …, "faults": {PROMPT: NAME}, "usd": …}`` begins
anew, ``{}`` waits until all that was sent has been read and answers with the books.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.conformance.server import CLIP, Reply, World, done, id_answer, served

MESSAGE = {"error": {"message": "m"}}
ACCEPTED = {
    "redirect that cannot be joined": Reply(302, {"Location": "https:foo"}, b""),
    "redirect to a page": Reply(303, {"Location": "/elsewhere"}, b""),
    "redirect of the POST": Reply(307, {"Location": "{url}/v1/again"}, b""),
    "500 after acceptance": Reply(500, {}, MESSAGE),
    "502 from a proxy": Reply(502, {"Content-Type": "text/html"}, b"<html>bad gateway</html>"),
    "409 after acceptance": Reply(409, {}, MESSAGE),
    "499 after acceptance": Reply(499, {}, MESSAGE),
    "200 without an id": Reply(200, {}, {"message": "ok"}),
    "200 without a body": Reply(200, {}, b""),
    "cut after acceptance": Reply(200, {}, b"", cut=0),
    "late cut": Reply(200, {}, b"", delay=0.2, cut=0),
}
"""Answers to a POST that was accepted, and charged, although they do not say so."""
WITH_ID = ("", "code beside the id", "success of false beside the id", "cut in the answer", "slow answer")
REFUSED = {
    "429 first": Reply(429, {"Retry-After": "1"}, MESSAGE),
    "moderated": Reply(400, {}, {"error": {"code": "content_policy_violation", "message": "rejected"}}),
}
"""Answers to a POST that was not accepted. The 429 is given once a clip."""
POLLS = ("no url", "url late", "polls fail", "polls cut", "slow polls", "task fails")
FILES = ("dead url", "second source", "page instead of a file", "file cut", "slow file")
FAULTS = (*WITH_ID, *ACCEPTED, *REFUSED, *POLLS, *FILES)
POLLS_UNTIL_DONE = 2


@dataclass
class Task:
    """One accepted POST."""

    id: str
    prompt: str
    usd: str
    polls: int = 0
    files: int = 0
    is_failed: bool = False


class Books(World):
    """A provider that keeps books. It charges each accepted POST, and gives the money of a failed task back."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._started = 0
        self.begin({})

    def begin(self, order: dict[str, Any]) -> None:
        """Forget all; from now on speak this dialect, with these faults."""
        self.dialect = order.get("dialect", "reapi")
        self.faults: dict[str, str] = order.get("faults", {})
        self.usd = Decimal(order.get("usd", "0.10"))
        self.tasks: dict[str, Task] = {}
        self.received = Counter[str]()
        self.charged = self.most_charged = Decimal(0)
        self.requests.clear()

    def books(self) -> dict[str, Any]:
        """What stands in them. ``most_charged_usd`` is the highest sum of charges less refunds that ever stood."""
        with self._lock:
            return {
                "posts": dict(self.received),
                "tasks": [asdict(task) for task in self.tasks.values()],
                "charged_usd": str(self.charged),
                "most_charged_usd": str(self.most_charged),
            }

    def answer(self, method: str, path: str, body: bytes) -> Any:
        """One request at a time, so that the books are right."""
        with self._lock:
            if method == "POST":
                return self._submit(json.loads(body))
            parts = [unquote(part) for part in urlsplit(path).path.split("/")]
            task = next((self.tasks[part] for part in parts if part in self.tasks), None)
            if task is None:
                return 404, {}, {"error": {"code": "task_not_found", "message": "unknown task"}}
            return self._file(task, parts[-1]) if parts[-1] in ("content", "clip.mp4") else self._poll(task)

    def _submit(self, body: dict[str, Any]) -> Any:
        prompt = str((body.get("input") or body).get("prompt"))
        self.received[prompt] += 1
        fault = self.faults.get(prompt, "")
        if fault in REFUSED and (fault != "429 first" or self.received[prompt] == 1):
            return REFUSED[fault]
        self._started += 1
        task = Task(f"task_{self._started:06d}", prompt, str(self.usd))
        self.tasks[task.id] = task
        self.charged += self.usd
        self.most_charged = max(self.most_charged, self.charged)
        if fault in ACCEPTED:
            return ACCEPTED[fault]
        _, _, said = id_answer(self.dialect, task.id)
        if fault == "code beside the id":
            return 200, {}, {**said, "code": 429, "message": "busy", "id": task.id}
        if fault == "success of false beside the id":
            return 200, {}, {**said, "success": False, "id": task.id}
        cut = len(json.dumps(said)) // 2 if fault == "cut in the answer" else None
        return Reply(200, {}, said, delay=0.25 if fault == "slow answer" else 0, cut=cut)

    def _poll(self, task: Task) -> Any:
        task.polls += 1
        fault = self.faults.get(task.prompt, "")
        if fault == "polls fail" and task.polls % 2:
            return 503, {}, MESSAGE
        if fault == "polls cut" and task.polls % 2:
            return Reply(200, {}, b"", cut=0)
        delay = 0.1 if fault == "slow polls" else 0
        if task.polls <= POLLS_UNTIL_DONE:
            return Reply(200, {}, {"id": task.id, "status": "processing"}, delay)
        if fault == "task fails":
            self.charged -= 0 if task.is_failed else Decimal(task.usd)
            task.is_failed = True
            return 200, {}, {"id": task.id, "status": "failed", "error": {"code": "e", "message": "m"}}
        if fault == "no url" or (fault == "url late" and task.polls <= POLLS_UNTIL_DONE + 2):
            return 200, {}, {"id": task.id, "status": "completed"}
        place = f"{{url}}/files/{task.id}/clip.mp4?n={task.files}"
        status, headers, body = done(self.dialect, place, task.id)
        return Reply(status, headers, body, delay)

    def _file(self, task: Task, name: str) -> Any:
        task.files += 1
        fault, is_url = self.faults.get(task.prompt, ""), name == "clip.mp4"
        if fault == "second source" and is_url:
            return 403, {}, b"gone"
        if fault == "dead url" and task.files == 1:
            return 404, {}, b"gone"
        if fault == "page instead of a file" and task.files == 1:
            return 200, {"Content-Type": "text/html"}, b"<html>" + b"please sign in " * 10
        if fault == "file cut" and task.files <= 2:
            return Reply(200, {}, CLIP, cut=len(CLIP) // 2)
        return Reply(200, {"Content-Type": "video/mp4"}, CLIP, delay=0.15 if fault == "slow file" else 0)


def settle(world: Books) -> None:
    """Wait until what killed clients sent has been read: connections are taken in their order, and their handlers end.

    Raises TimeoutError where one still runs after 20 seconds.
    """
    place = urlsplit(world.url)
    with socket.create_connection((place.hostname or "", place.port or 0), 20) as own:
        own.sendall(b"GET /settle HTTP/1.1\r\nConnection: close\r\n\r\n")
        own.recv(1)
    until = time.monotonic() + 20
    while any(thread.daemon for thread in threading.enumerate()):  # one a connection
        if time.monotonic() > until:
            raise TimeoutError("a connection is still open")
        time.sleep(0.002)


def main() -> None:
    """Serve until the standard input ends."""
    with served(Books()) as world:
        print(json.dumps({"url": world.url}), flush=True)
        for line in sys.stdin:
            order = json.loads(line)
            settle(world)
            if order:
                world.begin(order)
            print(json.dumps(world.books()), flush=True)


if __name__ == "__main__":
    main()
