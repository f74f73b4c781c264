"""The bridge to ComfyUI: its folders, progress and interrupt. No other file knows ComfyUI's runtime."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import folder_paths

from ...grok_imagine.errors import GrokImagineError
from . import node_events
from .interrupts import interrupted
from .runtime import Runtime

if TYPE_CHECKING:
    from ...grok_imagine.jobs.progress import ProgressUpdate

T = TypeVar("T")
_NAME = "grok_imagine"
_TICK = 0.25
"""Seconds between two looks at ComfyUI's interrupt."""
_TEXT_SECONDS = 0.2
_TEXT_EVENT = 3
"""BinaryEventTypes.TEXT in ComfyUI's protocol.py."""
_SHARES = {"generating": (0.0, 0.9), "downloading": (0.9, 1.0), "done": (0.0, 1.0)}
"""Which part of the node's bar a step fills: the provider's percentage is of its own work alone."""
_WORDS = {"uploading": "uploading images"}

_lock = threading.Lock()
_runtime: Runtime | None = None


def runtime() -> Runtime:
    """The one runtime of this process, made when it is first asked for."""
    global _runtime
    with _lock:
        if _runtime is None:
            from .job_events import show_job

            _runtime = Runtime(_home(), show_job)
        return _runtime


def _home() -> Path:
    """ComfyUI's folder for this pack: below the user folder, and served by none of its routes."""
    system = getattr(folder_paths, "get_system_user_directory", None)
    return Path(system(_NAME)) if system else Path(folder_paths.get_user_directory()) / f"__{_NAME}"


# -- running


async def run(node_id: str | None, work: Callable[[NodeProgress], Awaitable[T]]) -> T:
    """Do ``work`` on the pack's loop, and await it in ComfyUI's, showing progress and hearing the interrupt.

    On an interrupt, or when ComfyUI cancels the node because another one failed, the waiting ends. The job itself
    does not: running the graph again goes on with it.
    """
    from comfy.model_management import InterruptProcessingException, processing_interrupted

    progress = NodeProgress(node_id)
    progress.tell("Starting")

    async def begin() -> T:
        from ...grok_imagine.jobs.progress import BUDGET_RUN_ID

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
            # Only looked at, not cleared: every other node of this prompt must hear it too.
            if processing_interrupted():
                progress.show({"step": "stopped"})
                runtime().submit(interrupted(runtime(), job, frozenset(progress.job_ids)))
                raise InterruptProcessingException
            progress.show_text()
            await progress.show_bar()
    except GrokImagineError as error:
        progress.show(node_events.trouble(error))
        raise
    finally:
        # Not ``waiting``: that would be heard only once this loop turns again, and it may just be ending.
        job.cancel()


async def in_thread(work: Callable[[Callable[[], bool]], T]) -> T:
    """Do ``work(should_stop)``, which blocks, in a thread. When its node is interrupted, ``should_stop`` says yes."""
    stop = threading.Event()
    try:
        return await asyncio.to_thread(work, stop.is_set)
    finally:
        stop.set()


class NodeProgress:
    """How one node goes: told from any thread, shown as a text under its widgets and as its bar."""

    def __init__(self, node_id: str | None) -> None:
        self._node_id = node_id
        self.prompt_id = prompt_id()
        self.job_ids: set[str] = set()
        """The jobs that this node has waited for."""
        self._text = ""
        self._held: str | None = None
        self._step = ""
        self._warning = ""
        self._told_at = float("-inf")
        self._share = 0.0
        self._shown = 0.0

    def update(self, update: ProgressUpdate) -> None:
        """Where a job stands; the engine calls this on the pack's loop."""
        self.job_ids.add(update.job.id)
        percent = update.percent
        words = [_WORDS.get(update.step, update.step).capitalize()]
        if update.step in _SHARES and percent is not None:
            low, high = _SHARES[update.step]
            self._share = max(self._share, low + (high - low) * min(percent, 100) / 100)
            words[0] += f" {percent:.0f} %"
        minutes, seconds = divmod(int(update.elapsed), 60)
        words.append(f"{minutes}:{seconds:02d}")
        if update.cost is not None:
            words.append(update.price)
        if update.step == "preparing":
            self._warning = update.note  # stays in sight, since the user may want to stop for it
        elif update.note:
            words.append(update.note)
        if self._warning:
            words.append(self._warning)
        is_news = bool(update.note) or update.step != self._step
        self._step = update.step
        if not self.show(node_events.step(update)):
            self.tell(" · ".join(words), is_news=is_news)

    def frames(self, done: int, total: int, size: str = "") -> None:
        """How many frames are decoded, and of what size they are."""
        self._share = done / total if total else 0.0
        self.tell(f"Decoding {done} of {total} frames{size}")

    def tell(self, text: str, *, is_news: bool = False) -> None:
        """Show ``text`` at the node. Sending hands it to the server's own loop, so this returns at once.

        What comes thick and fast is held back for a moment, and only its last is shown; news are shown at once.
        """
        self._held = text
        if is_news or time.monotonic() - self._told_at >= _TEXT_SECONDS:
            self.show_text()

    def show_text(self) -> None:
        """Show what was held back, if anything was."""
        text, self._held = self._held, None
        if text is None or text == self._text or self._node_id is None:
            return
        self._text, self._told_at = text, time.monotonic()
        if not self.show({"step": "note", "text": text}):
            # A host that cannot show it must not end a paid job.
            with suppress(Exception):
                _send_text(text, self._node_id, self.prompt_id)

    def show(self, message: dict[str, Any]) -> bool:
        """Tell the node's node_events. False where the page, or whatever queued this prompt, shows none."""
        with suppress(Exception):  # as above
            from server import PromptServer

            server = PromptServer.instance
            if node_events.is_shown(server.client_id) and self._node_id is not None:
                told = {"node": self._node_id, "prompt_id": self.prompt_id, **message}
                server.send_sync(node_events.EVENT, told, server.client_id)
                return True
        return False

    async def show_bar(self) -> None:
        """Move the node's bar. On ComfyUI's own loop: its registry of bars is not for other threads."""
        if self._share == self._shown or self._node_id is None:
            return
        self._shown = self._share
        with suppress(Exception):  # as above
            from comfy_api.latest import ComfyAPI

            await ComfyAPI().execution.set_progress(self._shown, 1.0, node_id=self._node_id)


def prompt_id() -> str | None:
    """The prompt that runs in this task of ComfyUI's loop."""
    with suppress(ImportError):
        from comfy_execution.utils import get_executing_context

        context = get_executing_context()
        return context.prompt_id if context else None
    return None


def _send_text(text: str, node_id: str, prompt_id: str | None) -> None:
    from server import PromptServer

    server = PromptServer.instance
    server.send_progress_text(text, node_id)
    flags = server.sockets_metadata.get(server.client_id, {}).get("feature_flags", {})
    if prompt_id and flags.get("supports_progress_text_metadata"):
        # Front end 1.42 reads the prompt's id first, though its server does not send it. Each front end ignores the
        # spelling that it does not read. https://github.com/Comfy-Org/ComfyUI_frontend/pull/9002
        names = (prompt_id.encode(), node_id.encode())
        message = b"".join(len(name).to_bytes(4, "big") + name for name in names) + text.encode()
        server.send_sync(_TEXT_EVENT, message, server.client_id)


def server() -> Any:
    """ComfyUI's server: its routes, and messages to its pages; None where there is none."""
    from server import PromptServer

    return getattr(PromptServer, "instance", None)
