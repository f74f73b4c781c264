"""The state of a sandbox: accounts, balances, what a poll shows, signed URLs, and the request log."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from urllib.parse import urlencode, urlsplit

from .clock import Clock
from .dialects import Dialect
from .dialects.catalog import Catalog
from .faults import Fault, FaultQueue
from .model import Failure, Json, Price, State, Task, View
from .store import Store

OPENING_CREDIT_USD = Decimal(10_000)
_PRIVATE_URL = "http://169.254.169.254/latest/meta-data/clip.mp4"
_SHAPES = (
    "shape-b",
    "legacy",
    "fail-reason-url",
    "third",
    "sibling",
    "wrapped",
    "result-json",
    "nested-url",
    "no-status",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The options that hold for all tasks."""

    seconds: float = 4.0
    strict_extra: bool = False


class SandboxState:
    """Shared state of one sandbox. Everything durable is in the store."""

    def __init__(self, settings: Settings, clock: Clock, store: Store, dialects: Catalog) -> None:
        self.settings, self.clock, self.store, self.dialects = settings, clock, store, dialects
        self.fault_queue = FaultQueue()
        self.requests: deque[Json] = deque(maxlen=500)
        self.callbacks: deque[Json] = deque(maxlen=200)
        self.url = ""
        self.other_url = ""
        """The same server on a second port: another origin, for the redirect fault."""
        self.on_settled: Callable[[], None] = lambda: None
        self._pending_callbacks: set[str] = set()
        self._secret = store.meta("signing_secret", secrets.token_hex(32)).encode()

    def dialect(self, name: str) -> Dialect | None:
        return self.dialects.get(name)

    # accounts

    @staticmethod
    def account(key: str) -> str:
        return hashlib.sha256(key.encode()).hexdigest()[:16]

    def credits_bought_and_used(self, dialect: Dialect, key: str) -> tuple[Decimal, Decimal]:
        """Credits bought and credits used by this key at this dialect."""
        bought = Decimal(0) if "broke" in key else OPENING_CREDIT_USD / dialect.credit_usd
        account = self.account(key)
        used = sum(
            (
                Decimal(e["credits"])
                for e in self.store.ledger_entries()
                if e["account"] == account and e["dialect"] == dialect.name
            ),
            Decimal(0),
        )
        return bought, used

    def can_pay(self, dialect: Dialect, key: str, price: Price) -> bool:
        bought, used = self.credits_bought_and_used(dialect, key)
        return bought - used >= price.credits

    # lifecycle

    def settle(self, task: Task) -> bool:
        """Make a due outcome visible, and refund a failure first. True if the task became final now."""
        now = self.clock.now()
        if task.final or not task.outcome or now < task.due or task.fault("stuck"):
            return False
        self._apply_outcome_faults(task)
        task.final = max(task.due, task.outcome_at)
        self.store.save(task)
        if task.outcome == "failed" or task.fault("blocked"):
            self.store.add_ledger_entry("refund", task, task.final, task.failure.message if task.failure else "blocked")
        if task.callback_url:
            self._pending_callbacks.add(task.id)
            self.on_settled()
        return True

    def settle_all(self) -> None:
        for task in self.store.open_tasks():
            self.settle(task)

    def load_pending_callbacks(self) -> None:
        """After a restart: find the final tasks whose callback was not sent."""
        self._pending_callbacks |= {t.id for t in self.store.final_tasks() if t.callback_url and not t.called_back}

    def take_pending_callbacks(self) -> list[Task]:
        """The final tasks whose callback is to be sent, from now on marked as sent."""
        due: list[Task] = []
        for task_id in sorted(self._pending_callbacks):
            task = self.store.task(task_id)
            if task is not None and task.callback_url and not task.called_back:
                task.called_back = True
                self.store.save(task)
                due.append(task)
        self._pending_callbacks.clear()
        return due

    def seconds_until_next_outcome(self) -> float | None:
        """Seconds until the next task is due; None if no time is known."""
        if self.clock.mode == "manual":
            return None
        waits = [
            task.due - self.clock.now() for task in self.store.open_tasks() if task.outcome and not task.fault("stuck")
        ]
        return max(min(waits), 0.0) + 0.002 if waits else None

    @staticmethod
    def _apply_outcome_faults(task: Task) -> None:
        """Let the task fail if one of its faults says so."""
        failed = task.fault("failed") or task.fault("progress-100-failed")
        if task.fault("moderated"):
            task.outcome, task.failure = "failed", Failure("moderation", "Request violates content policy")
        elif failed:
            task.outcome, task.failure = "failed", Failure("generic", failed.arg or "Generation failed upstream")

    def view(self, task: Task, shape: str = "", request_faults: tuple[Fault, ...] = ()) -> View:
        """What a poll shows now. `request_faults` are those of this one request; the task has its own."""
        self.settle(task)
        dialect = self.dialect(task.dialect)
        share = dialect.queued_share if dialect else 0.0
        done = min((self.clock.now() - task.created) / task.seconds, 0.99) if task.seconds else 0.99
        waiting = State.QUEUED if done < share else State.RUNNING
        state = waiting if not task.final else State.FAILED if task.outcome == "failed" else State.DONE
        view = View(task, state, round(done * 100), shape=shape, failure=task.failure if task.final else None)
        if state is State.DONE:
            url, expires = self.signed_url(task)
            view = replace(view, url=url, expires=expires)
        for fault in (*task.faults, *request_faults):
            view = _apply_view_fault(view, fault)
        return view

    # URLs of this sandbox

    def current_url(self, url: str) -> str:
        """The present URL for one of an earlier run of this sandbox; any other URL is unchanged."""
        parts = urlsplit(url)
        own = parts.path.startswith(("/_sandbox/files/", "/cdn/")) and parts.hostname in (
            "127.0.0.1",
            "::1",
            "localhost",
        )
        return self.url + url[url.index(parts.path) :] if own else url

    def signed_url(self, task: Task) -> tuple[str, int]:
        dialect = self.dialect(task.dialect)
        expires = int(task.final + (dialect.url_lifetime if dialect else 0))
        query = urlencode({"expires": expires, "signature": self.signature(task.token, expires)})
        return f"{self.url}/cdn/{task.dialect}/{task.token}.mp4?{query}", expires

    def signature(self, token: str, expires: int) -> str:
        return hmac.new(self._secret, f"{token}:{expires}".encode(), hashlib.sha256).hexdigest()

    def is_signed(self, token: str, expires: str, signature: str) -> bool:
        good = expires.isascii() and expires.isdigit() and len(expires) < 20
        return good and hmac.compare_digest(self.signature(token, int(expires)).encode(), signature.encode())

    # the ledger

    def ledger(self) -> Json:
        self.settle_all()
        entries = self.store.ledger_entries()
        totals: dict[str, dict[str, str]] = {}
        usd = Decimal(0)
        for name in (d.name for d in self.dialects):
            own = [e for e in entries if e["dialect"] == name]
            mine = sum((Decimal(e["usd"]) for e in own), Decimal(0))
            credits = sum((Decimal(e["credits"]) for e in own), Decimal(0))
            totals[name] = {"credits": format(credits, "f"), "usd": format(mine, "f")}
            usd += mine
        submits, posts = self.store.counters("submits."), self.store.counters("posts.")
        return {
            "entries": entries,
            "totals": totals,
            "usd": format(usd, "f"),
            "submits": sum(submits.values()),
            "submits_by_dialect": submits,
            "posts": sum(posts.values()),
            "posts_by_dialect": posts,
            "violations": sum(self.store.counters("violations.").values()),
        }


def _apply_view_fault(view: View, fault: Fault) -> View:
    """The view with one fault applied."""
    name = fault.name
    if name == "unknown-status":
        return replace(view, unknown_word=fault.arg or "warming_up", url="", failure=None)
    if name == "empty-error":
        return replace(view, empty_error=True)
    if name in _SHAPES:
        return replace(view, shape=name)
    if name.startswith("status"):
        state = {"status": State.DONE, "status-running": State.RUNNING, "status-failed": State.FAILED}[name]
        return replace(view, status_words={**view.status_words, state: fault.arg or state.value})
    if view.state is not State.DONE:
        return view
    if name == "no-url":
        return replace(view, url="")
    if name == "private-url":
        return replace(view, url=fault.arg or _PRIVATE_URL)
    if name == "blocked":
        return replace(view, url="", blocked=True, failure=Failure("moderation", "Generated video was moderated"))
    return view
