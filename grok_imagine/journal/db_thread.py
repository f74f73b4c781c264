"""One thread for blocking work, which works until the very end of the process.

Not an executor of the standard library: those take no more work once the interpreter begins to exit, and the answer
to a paid POST that comes just then could not be written down any more.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
_Order = tuple[Callable[[], Any], "asyncio.Future[Any]", asyncio.AbstractEventLoop]


class DatabaseThread:
    """Does one thing after the other. The thread begins with the first and does not keep the process alive."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._orders: SimpleQueue[_Order | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._last: asyncio.Future[None] | None = None

    async def run(self, work: Callable[[], T]) -> T:
        """The result of ``work()``, done in the thread. Work whose caller is canceled before it begins is left out."""
        return await self._order(work)

    async def stop(self, last: Callable[[], None]) -> None:
        """End the thread when all it was given is done, with ``last()``; that is done also where this is canceled."""
        if self._last is None:
            self._last = self._order(last)
            self._orders.put(None)
        await asyncio.shield(self._last)

    def _order(self, work: Callable[[], T]) -> asyncio.Future[T]:
        if self._last is not None:
            raise RuntimeError("the worker has stopped")
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._orders.put((work, future, loop))
        return future

    def _work(self) -> None:
        while (order := self._orders.get()) is not None:
            work, future, loop = order
            if future.cancelled():
                continue
            try:
                told, value = future.set_result, work()
            except BaseException as error:  # whatever it is, it is its caller's
                told, value = future.set_exception, error
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_tell, future, told, value)
            del order, work, future, told, value


def _tell(future: asyncio.Future[Any], told: Callable[[Any], None], value: Any) -> None:
    if not future.done():
        told(value)
