"""A single worker thread that accepts work until the process ends.

The standard library's executors accept no work once the interpreter begins to exit, so the answer to a paid POST that
arrives then could not be stored.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
_WorkItem = tuple[Callable[[], Any], "asyncio.Future[Any]", asyncio.AbstractEventLoop]


class DatabaseThread:
    """Runs calls one after the other in a daemon thread, which starts with the first call."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._queue: SimpleQueue[_WorkItem | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._last: asyncio.Future[None] | None = None

    async def run(self, work: Callable[[], T]) -> T:
        """Run ``work()`` in the thread and return its result. Skipped if the caller is canceled before it starts."""
        return await self._submit(work)

    async def stop(self, last: Callable[[], None]) -> None:
        """Run all pending work and then ``last()``, and end the thread. Cancellation does not prevent this."""
        if self._last is None:
            self._last = self._submit(last)
            self._queue.put(None)
        await asyncio.shield(self._last)

    def _submit(self, work: Callable[[], T]) -> asyncio.Future[T]:
        if self._last is not None:
            raise RuntimeError("the database thread has stopped")
        if self._thread is None:
            self._thread = threading.Thread(target=self._run_loop, name=self._name, daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.put((work, future, loop))
        return future

    def _run_loop(self) -> None:
        while (item := self._queue.get()) is not None:
            work, future, loop = item
            if future.cancelled():
                continue
            try:
                set_outcome, value = future.set_result, work()
            except BaseException as error:  # passed on to the caller
                set_outcome, value = future.set_exception, error
            with suppress(RuntimeError):  # the loop is closed, so nobody awaits the future
                loop.call_soon_threadsafe(_resolve, future, set_outcome, value)
            del item, work, future, set_outcome, value


def _resolve(future: asyncio.Future[Any], set_outcome: Callable[[Any], None], value: Any) -> None:
    if not future.done():
        set_outcome(value)
