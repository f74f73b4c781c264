"""Status words: every spelling that is understood. Anything else is UNKNOWN, which is never final."""

from __future__ import annotations

from ..models import TaskPhase

# Sources: each provider's own pages, and the families that they resell or run on: QuantumNous/new-api (dto/task.go and
# relay/channel/task/*), docs.kie.ai, docs.x.ai. "accepted", "active" and "rejected" are precautions.
_SPELLINGS: dict[TaskPhase, str] = {
    TaskPhase.QUEUED: "queued queueing queuing in_queue pending submitted created waiting wait not_start notstarted "
    "starting preparing initializing accepted",
    TaskPhase.RUNNING: "processing in_progress inprogress running generating active",
    TaskPhase.DONE: "completed complete succeeded succeed success done finished",
    TaskPhase.FAILED: "failed fail failure error rejected moderation_blocked expired aborted terminated timeout "
    "timed_out timedout incomplete blocked refunded content_filtered content_blocked",
    TaskPhase.CANCELED: "cancelled canceled canceling",
}
MODERATION_WORDS = frozenset({"moderation_blocked", "blocked", "content_filtered", "content_blocked"})
PHASES: dict[str, TaskPhase] = {word: phase for phase, words in _SPELLINGS.items() for word in words.split()}


def normal(word: str) -> str:
    """The word as the table spells it: trimmed, in lower case, with underscores."""
    return word.strip().lower().replace("-", "_").replace(" ", "_")


def phase_of(word: str) -> TaskPhase:
    """The phase that a status word means."""
    return PHASES.get(normal(word), TaskPhase.UNKNOWN)
