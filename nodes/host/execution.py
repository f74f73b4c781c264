"""Runs a node's work on the pack's loop, with progress, and stops waiting when ComfyUI is interrupted."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import folder_paths

from ...grok_imagine.errors import GrokImagineError
from . import job_events, node_events, pages, prompt_server
from .progress import NodeProgress
from .runtime import Runtime

T = TypeVar("T")
_NAME = "grok_imagine"
_TICK = 0.25
"""Seconds between two checks of ComfyUI's interrupt."""

_lock = threading.Lock()
_runtime: Runtime | None = None


def runtime() -> Runtime:
    """The runtime of this process, created on first use."""
    global _runtime
    with _lock:
        if _runtime is None:
            home = _home()
            _runtime = Runtime(home, partial(job_events.publish, home=home), writes_metadata=_writes_metadata())
        return _runtime


def _writes_metadata() -> bool:
    """False where ComfyUI was started with --disable-metadata."""
    from comfy.cli_args import args

    return not args.disable_metadata


def _home() -> Path:
    """ComfyUI's folder for this pack: below the user folder, and served by none of its routes."""
    system = getattr(folder_paths, "get_system_user_directory", None)
    return Path(system(_NAME)) if system else Path(folder_paths.get_user_directory()) / f"__{_NAME}"


# -- running


async def run(node_id: str | None, work: Callable[[NodeProgress], Awaitable[T]]) -> T:
    """Do ``work`` on the pack's loop, and await it in ComfyUI's, showing progress and watching for an interrupt.

    On an interrupt, or when ComfyUI cancels the node because another one failed, the waiting ends. The job itself
    does not: running the graph again resumes it.
    """
    from comfy.model_management import InterruptProcessingException, processing_interrupted

    client_id = prompt_server.client_id()
    progress = NodeProgress(node_id, prompt_id(), client_id)
    progress.report("Starting")
    user = pages.user_of_page(client_id)

    async def begin() -> T:
        from ...grok_imagine.jobs.progress import BUDGET_RUN_ID, USER_ID

        USER_ID.set(user)
        BUDGET_RUN_ID.set(progress.prompt_id or "")
        return await work(progress)

    job = runtime().submit(begin())
    waiting = asyncio.wrap_future(job)
    try:
        while True:
            await asyncio.wait({waiting}, timeout=_TICK)
            if waiting.done():
                progress.show_text()
                return waiting.result()
            # Not cleared: every other node of this prompt must see it too.
            if processing_interrupted():
                progress.show({"step": "stopped"})
                runtime().submit(_interrupted(runtime(), job, frozenset(progress.job_ids), user))
                raise InterruptProcessingException
            progress.show_text()
            await progress.show_bar()
    except GrokImagineError as error:
        progress.show(node_events.failure(error))
        raise
    finally:
        # Not ``waiting``: canceling that takes effect in the next turn of this loop, which may be ending.
        job.cancel()


async def _interrupted(runtime: Runtime, job: Future[Any], job_ids: frozenset[str], user: str) -> None:
    """After the user's interrupt: abandon the jobs if the settings say so. Not called when another node failed."""
    from ...grok_imagine.jobs.progress import USER_ID

    USER_ID.set(user)
    job.cancel()
    async with runtime.session() as session:
        if session.settings.on_interrupt != "drop":
            return
        for job_id in job_ids:
            try:
                text = (await session.abandon(job_id)).text
            except GrokImagineError as error:
                text = str(error)
            logging.getLogger(__name__).warning("Job %s: %s", job_id, text)


async def in_thread(work: Callable[[Callable[[], bool]], T]) -> T:
    """Do ``work(should_stop)``, which blocks, in a thread. When its node is interrupted, ``should_stop`` says yes."""
    stop = threading.Event()
    try:
        return await asyncio.to_thread(work, stop.is_set)
    finally:
        stop.set()


def prompt_id() -> str | None:
    """The prompt that runs in this task of ComfyUI's loop."""
    with suppress(ImportError):
        from comfy_execution.utils import get_executing_context

        context = get_executing_context()
        return context.prompt_id if context else None
    return None
