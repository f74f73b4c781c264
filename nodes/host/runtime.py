"""What lives as long as the process: the data folder, a loop in a thread of its own, and one open session."""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .current_settings import CurrentSettings, Stamp

if TYPE_CHECKING:
    from ...grok_imagine.jobs.pipeline.callbacks import CallbackRegistry
    from ...grok_imagine.jobs.sandbox_process import SandboxProcess
    from ...grok_imagine.jobs.session import Session
    from ...grok_imagine.models import Job
    from ...grok_imagine.settings import Settings
    from ...grok_imagine.storage.comfyui_route import PublicFiles
    from ...grok_imagine.transport.rate_limit import RateLimiters

T = TypeVar("T")
_CLOSING_SECONDS = 5.0
_ANSWER_SECONDS = 15.0
"""How long the end of the process waits for the answers of paid POSTs that are out."""


@dataclass
class _SessionRef:
    """A session and the number of its users. Once the settings have changed, it closes with its last user."""

    opening: asyncio.Task[Session]
    stamp: Stamp | None
    users: int = 0
    is_retired: bool = False


class Runtime:
    """The pack's own loop and session. Nothing is started, opened or written before the first node runs.

    ComfyUI gives every prompt a new loop, and a node that does not await stops it: polling, rate limits and open
    connections need a loop that neither ends nor stands still.
    """

    def __init__(
        self, home: Path, on_job: Callable[[Job], None] = lambda _job: None, *, writes_metadata: bool = True
    ) -> None:
        self.home = home
        self.settings = CurrentSettings(home)
        self.writes_metadata = writes_metadata
        self._on_job = on_job
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._session_ref: _SessionRef | None = None
        self._sessions: list[Session] = []
        self._works: set[Future[Any]] = set()
        self._sandbox: tuple[str | None, SandboxProcess] | None = None
        # These outlive a session: a limit holds for the key, and a job may still wait for its callback.
        self._limiters: RateLimiters | None = None
        self._callbacks: CallbackRegistry | None = None

    # -- from any thread

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Start ``work`` on the pack's loop."""
        future = asyncio.run_coroutine_threadsafe(work, self._running_loop())
        self._works.add(future)
        future.add_done_callback(self._works.discard)
        return future

    def call(self, token: str) -> None:
        """Handle a webhook call with this token, from anybody. Returns at once."""
        if self._callbacks is not None:
            self._callbacks.wake(token)

    def public_files(self) -> PublicFiles:
        """The files that this ComfyUI serves for providers."""
        from ...grok_imagine.jobs.uploads.stores import PUBLIC_FILES
        from ...grok_imagine.storage.comfyui_route import PublicFiles

        return PublicFiles(self.home / PUBLIC_FILES)

    def close(self) -> None:
        """End the sandbox, the session and the loop. What is under way stays in the journal, to be resumed."""
        with self._lock:
            loop, self._loop = self._loop, None
            thread, self._thread = self._thread, None
        if loop is not None and thread is not None:
            # At the interpreter's exit no executor takes work any more, so not all of this can end well then. What
            # must, does: the answers that are still to come, and the journal, whose thread is its own.
            with suppress(Exception):
                shutting = asyncio.run_coroutine_threadsafe(self._shut(), loop)
                shutting.result(_ANSWER_SECONDS + _CLOSING_SECONDS)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(_CLOSING_SECONDS)
            if not thread.is_alive():
                loop.close()
            atexit.unregister(self.close)
        sandbox, self._sandbox = self._sandbox, None
        if sandbox is not None:
            sandbox[1].close()

    # -- on the pack's loop

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[Session, None]:
        """The open session. It is opened on first use, and reopened when the settings file has changed."""
        ref = self._current()
        ref.users += 1
        try:
            # Shielded: an interrupted node must not close the session of the others, or leave it half open.
            yield await asyncio.shield(ref.opening)
        finally:
            ref.users -= 1
            if ref.is_retired and not ref.users:
                await asyncio.shield(asyncio.ensure_future(self._closed(ref)))

    def _current(self) -> _SessionRef:
        stamp, ref = self.settings.stamp(), self._session_ref
        if ref is not None and ref.stamp == stamp and not _has_failed(ref.opening):
            return ref
        if ref is not None:
            ref.is_retired = True
            if not ref.users:
                asyncio.ensure_future(self._closed(ref))  # noqa: RUF006 (the loop holds what waits for a thread)
        self._session_ref = _SessionRef(asyncio.ensure_future(self._opened()), stamp)
        return self._session_ref

    async def _opened(self) -> Session:
        # Importing the engine, reading settings and ending a sandbox take time, and this loop has other work.
        settings = await asyncio.to_thread(_load, self.home)
        from ...grok_imagine.jobs.pipeline.callbacks import CallbackRegistry
        from ...grok_imagine.jobs.sandbox_process import SandboxProcess
        from ...grok_imagine.jobs.session import Session
        from ...grok_imagine.transport.rate_limit import RateLimiters

        if self._sandbox is None or self._sandbox[0] != settings.sandbox_url:
            url, before = settings.sandbox_url, self._sandbox
            self._sandbox = (url, SandboxProcess(self.home, url))
            if before is not None:
                await asyncio.to_thread(before[1].close)
        if self._limiters is None:
            self._limiters = RateLimiters()
        if self._callbacks is None:
            self._callbacks = CallbackRegistry(self.home)
        self._callbacks.base = settings.public_callback_base
        session = Session(
            self.home,
            settings,
            sandbox=self._sandbox[1],
            rate_limiters=self._limiters,
            callbacks=self._callbacks,
            listener=self._on_job,
            writes_metadata=self.writes_metadata,
        )
        await session.__aenter__()
        self._sessions.append(session)
        return session

    async def _closed(self, ref: _SessionRef) -> None:
        if ref.opening.cancelled() or _has_failed(ref.opening):
            return
        session = await ref.opening
        await session.__aexit__(None, None, None)
        self._sessions.remove(session)

    async def _shut(self) -> None:
        for work in tuple(self._works):
            work.cancel()
        await asyncio.sleep(0)
        if paid := {task for session in self._sessions for task in session.in_flight}:
            # Nobody waits for these any more, but the provider's answer holds the id of a paid task.
            await asyncio.wait(paid, timeout=_ANSWER_SECONDS)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        self._session_ref = None
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for session in tuple(self._sessions):
            await session.__aexit__(None, None, None)
        self._sessions.clear()
        await asyncio.get_running_loop().shutdown_default_executor()

    # -- inside

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="grok-imagine", daemon=True)
                self._thread.start()
                atexit.register(self.close)
            return self._loop


def _load(home: Path) -> Settings:
    """The settings. Also imports the engine, whose later imports then cost nothing."""
    from ...grok_imagine.jobs import session  # noqa: F401  # pyright: ignore[reportUnusedImport]
    from ...grok_imagine.settings import load

    return load(home)


def _has_failed(opening: asyncio.Task[Session]) -> bool:
    return opening.done() and (opening.cancelled() or opening.exception() is not None)
