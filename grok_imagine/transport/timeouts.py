"""A timeout that does not lose cancellations."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def wait_with_timeout(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``. Cancels it and raises asyncio.TimeoutError after ``seconds``.

    Before Python 3.12, ``asyncio.wait_for`` loses a cancellation that arrives just as the work ends
    (https://github.com/python/cpython/issues/86296), so an interrupted wait could continue forever.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # marks it as retrieved
    if task.cancelled():
        raise asyncio.TimeoutError
    return task.result()
