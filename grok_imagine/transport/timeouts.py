"""Waiting with a limit, in a way that hears every cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def wait_with_timeout(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``. Raises asyncio.TimeoutError when it takes longer, and cancels it.

    ``asyncio.wait_for`` drops a cancellation that comes just as the work ends, before Python 3.12
    (https://github.com/python/cpython/issues/86296): an interrupt would go unheard, and the wait on for ever.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # seen, also where it is not the one to tell
    if task.cancelled():
        raise asyncio.TimeoutError
    return task.result()
