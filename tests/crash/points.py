"""Points at which a process can be killed: every journal line, every network step, every file step of a job.

The engine is not touched: its public methods are wrapped, SQLAlchemy says when a transaction is about to be
committed, and httpcore's ``trace`` extension names each step of an exchange. A first run records the points it
passes; then one run for each of them ends there by SIGKILL (TerminateProcess on Windows).
"""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

KILL = 9
"""SIGKILL; on Windows, where there are no signals, the exit code of a process that is terminated."""
ENGINE = Path(__file__).resolve().parents[2] / "grok_imagine"
_CORRIDOR = tuple(str(ENGINE / room) + os.sep for room in ("jobs", "journal", "transport"))


class Points:
    """Counts the points passed; at the one that is asked for, the process ends as by a power cut."""

    def __init__(self, kill_at: str | None = None) -> None:
        self.kill_at = kill_at
        self.seen: list[str] = []
        self._counts = Counter[str]()
        self._lock = threading.Lock()

    def reach(self, label: str) -> None:
        """This point is reached (for the n-th time, which its name says)."""
        with self._lock:
            self._counts[label] += 1
            name = f"{label} #{self._counts[label]}"
            self.seen.append(name)
        if name == self.kill_at:
            os.kill(os.getpid(), KILL)

    # -- where points are

    def install(self, home: Path) -> None:
        """Wrap the journal, the HTTP client and the file steps below ``home``."""
        self._journal()
        self._network()
        self._files(str(home))

    def install_lines(self) -> None:
        """Make every line of the corridor's rooms a point (its first time only), in all threads."""
        done = set[tuple[str, int]]()

        def line(frame: Any, event: str, _: Any) -> Any:
            place = (frame.f_code.co_filename, frame.f_lineno)
            if event == "line" and place not in done:
                done.add(place)
                self.reach(f"{Path(place[0]).relative_to(ENGINE)}:{place[1]}")
            return line

        def call(frame: Any, _: str, __: Any) -> Any:
            return line if frame.f_code.co_filename.startswith(_CORRIDOR) else None

        threading.settrace(call)
        sys.settrace(call)

    def _journal(self) -> None:
        import sqlalchemy as sa

        from grok_imagine.journal.journal import Journal

        what = [""]

        def wrapped(name: str) -> None:
            plain = getattr(Journal, name)

            @functools.wraps(plain)
            async def method(journal: Any, *arguments: Any, **named: Any) -> Any:
                told = f"journal {name}" + (f" {arguments[1].value}" if name == "advance" else "")
                what[0] = told
                self.reach(f"{told}: before")
                done = await plain(journal, *arguments, **named)
                self.reach(f"{told}: after")
                return done

            setattr(Journal, name, method)

        for name in ("__aenter__", "claim", "add", "advance", "update_fields", "transaction", "get", "__aexit__"):
            wrapped(name)
        sa.event.listen(sa.Engine, "commit", lambda _: self.reach(f"{what[0]}: written, not committed"))

    def _network(self) -> None:
        import httpx

        send, raw = httpx.AsyncClient.send, httpx.Response.aiter_raw

        @functools.wraps(send)
        async def traced(client: httpx.AsyncClient, request: httpx.Request, **named: Any) -> httpx.Response:
            kind = kind_of(request.method, request.url.path)
            own = request.extensions.get("trace")

            async def trace(event: str, info: Any) -> None:
                self.reach(f"{kind}: {event.partition('.')[2]}")
                if own is not None:
                    await own(event, info)

            request.extensions["trace"] = trace
            return await send(client, request, **named)

        @functools.wraps(raw)
        async def chunks(response: httpx.Response, *arguments: Any) -> AsyncIterator[bytes]:
            kind = kind_of(response.request.method, response.request.url.path)
            async for chunk in raw(response, *arguments):
                self.reach(f"{kind}: chunk read")
                yield chunk

        httpx.AsyncClient.send = traced  # type: ignore[method-assign]
        httpx.Response.aiter_raw = chunks  # type: ignore[method-assign]

    def _files(self, home: str) -> None:
        def both_sides(name: str, is_ours: Callable[..., bool]) -> None:
            plain = getattr(os, name)

            @functools.wraps(plain)
            def function(*arguments: Any, **named: Any) -> Any:
                if not is_ours(*arguments):
                    return plain(*arguments, **named)
                self.reach(f"file {name}: before")
                done = plain(*arguments, **named)
                self.reach(f"file {name}: after")
                return done

            setattr(os, name, function)

        both_sides("replace", lambda *_: True)
        both_sides("fsync", lambda *_: True)
        both_sides("open", lambda path, *_: home in str(path))


def kind_of(method: str, path: str) -> str:
    """What an exchange is for: upload, submit, poll or download."""
    if method == "POST":
        return "upload" if path.startswith("/_sandbox/") else "submit"
    return "download" if path.startswith("/cdn/") or path.endswith("/content") else "poll"


_NOTHING_BETWEEN = ("send_request_body.started", "receive_response_body.started", "response_closed.started")
"""Steps that begin where the one before has just ended: at a network's point of view, the same moment."""


def chosen(seen: list[str], *, times: int = 2, every: bool = True) -> list[str]:
    """The points worth a kill: each label's first times, since the tenth poll is no other than the second.

    ``every`` keeps also those that differ from the one before by no step of the network's or the disk's.
    """
    first = [name for name in dict.fromkeys(seen) if int(name.rpartition("#")[2]) <= times]
    return [name for name in first if every or not name.partition(" #")[0].endswith(_NOTHING_BETWEEN)]
