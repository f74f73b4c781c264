"""Shows how one node's work goes: as a text under its widgets or in its status, and as its bar."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from . import node_events, pages, prompt_server

if TYPE_CHECKING:
    from ...grok_imagine.jobs.progress import ProgressUpdate

_TEXT_SECONDS = 0.2
_SHARES = {"generating": (0.0, 0.9), "downloading": (0.9, 1.0), "done": (1.0, 1.0)}
"""Which part of the bar a step fills: the provider's percentage covers only its own work."""
_TYPICAL_SECONDS = 40.0
"""Where a provider gives no percentage, the bar is at two thirds of its work after so long, and never at its end."""
_STEP_LABELS = {"uploading": "uploading images"}


class NodeProgress:
    """The progress of one node, reported from any thread and shown as a text and a bar."""

    def __init__(self, node_id: str | None, prompt_id: str | None = None, client_id: str | None = None) -> None:
        self._node_id = node_id
        self._client_id = client_id
        self.prompt_id = prompt_id
        self.job_ids: set[str] = set()
        """The jobs that this node has waited for."""
        self._text = ""
        self._held: str | None = None
        self._step = ""
        self._warning = ""
        self._shown_at = float("-inf")
        self._share = 0.0
        self._shown = 0.0

    def update(self, update: ProgressUpdate) -> None:
        """Where a job stands; the engine calls this on the pack's loop."""
        self.job_ids.add(update.job.id)
        percent = update.percent
        words = [_STEP_LABELS.get(update.step, update.step).capitalize()]
        self._share = max(self._share, _share_of(update))
        if percent is not None and update.step in ("generating", "downloading"):
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
        if not self.show({**node_events.step(update), "share": round(self._share, 3)}):
            self.report(" · ".join(words), is_news=is_news)

    def frames(self, done: int, total: int, size: str = "") -> None:
        """How many frames are decoded, and of what size they are."""
        self.count(done, total, f"Decoding {done} of {total} frames{size}")

    def count(self, done: int, total: int, text: str) -> None:
        """How many of so many are done, and that in words."""
        self._share = done / total if total else 0.0
        self.report(text)

    def report(self, text: str, *, is_news: bool = False) -> None:
        """Show ``text`` at the node. Sending hands it to the server's own loop, so this returns at once.

        Updates are throttled to one in 0.2 s; the last one is always shown, and news are shown at once.
        """
        self._held = text
        if is_news or time.monotonic() - self._shown_at >= _TEXT_SECONDS:
            self.show_text()

    def show_text(self) -> None:
        """Show the text that was throttled, if any."""
        text, self._held = self._held, None
        if text is None or text == self._text or self._node_id is None:
            return
        self._text, self._shown_at = text, time.monotonic()
        if not self.show({"step": "note", "text": text, "share": round(self._share, 3)}):
            # A host that cannot show it must not end a paid job.
            with suppress(Exception):
                prompt_server.send_progress_text(text, self._node_id, self.prompt_id)

    def show(self, message: dict[str, Any]) -> bool:
        """Send an event to the page that queued this prompt. False if it shows no node statuses."""
        with suppress(Exception):  # as above
            if pages.is_known(self._client_id) and self._node_id is not None:
                event = {"node": self._node_id, "prompt_id": self.prompt_id, **message}
                prompt_server.send(node_events.EVENT, event, self._client_id)
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


def _share_of(update: ProgressUpdate) -> float:
    """How far a job is, from 0 to 1."""
    low, high = _SHARES.get(update.step, (0.0, 0.0))
    if update.percent is not None:
        return low + (high - low) * min(update.percent, 100) / 100
    is_working = update.step == "generating"
    return low + (high - low) * (1 - math.exp(-update.elapsed / _TYPICAL_SECONDS)) if is_working else low
