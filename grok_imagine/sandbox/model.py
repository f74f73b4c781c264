"""The sandbox's values: a request, a task, a reply. No I/O."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any, Literal

from .faults import Fault

Json = dict[str, Any]
Mode = Literal["text", "image", "reference", "edit", "extend"]
Outcome = Literal["", "ready", "failed"]


class ApiErrorKind(Enum):
    """Errors that every dialect has; each one writes them in its own way."""

    NO_AUTH = "no_auth"
    NOT_BEARER = "not_bearer"
    BAD_KEY = "bad_key"
    REVOKED = "revoked"
    NO_CREDIT = "broke"
    RATE = "rate"
    SPEND = "spend"
    NO_TASK = "no_task"
    BAD_JSON = "bad_json"
    INTERNAL = "internal"
    GATEWAY = "gateway"
    UNAVAILABLE = "unavailable"


class State(Enum):
    """A task's state; each dialect has its own status words."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer as a value. A body of None is an empty body."""

    status: int
    body: Json | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])


class RequestRejected(Exception):
    """A request that the provider rejects, with the reply that says so."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"HTTP {reply.status}")
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Price:
    """What a task costs, in the provider's credits and in US dollars."""

    credits: Decimal
    usd: Decimal


@dataclass(frozen=True, slots=True)
class Job:
    """What to render. `ratio` is "" where the output follows the first image; `seconds` 0 follows the video."""

    mode: Mode
    prompt: str
    seconds: int
    tier: str
    ratio: str
    images: tuple[str, ...] = ()
    video: str = ""
    source_limit: tuple[float, float] = (0.0, 60.0)
    """Shortest and longest source video the dialect takes, in seconds; only fetching can tell."""

    @classmethod
    def from_json(cls, data: Json) -> Job:
        low, high = data["source_limit"]
        fields: Json = {**data, "images": tuple(data["images"]), "source_limit": (low, high)}
        return cls(**fields)

    def to_json(self) -> Json:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ParsedRequest:
    """A valid request: what to render, its price, and what the replies repeat of it (``echo``)."""

    model: str
    job: Job
    price: Price
    echo: Json = field(default_factory=dict[str, Any])
    callback_url: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a task failed; `kind` lets each dialect choose its own code."""

    kind: Literal["generic", "moderation", "reference"]
    message: str


@dataclass(slots=True)
class Task:
    """One accepted request and all that is known of it, as the store keeps it."""

    id: str
    dialect: str
    account: str
    created: float
    seconds: float
    model: str
    job: Job
    token: str
    price: Price
    echo: Json = field(default_factory=dict[str, Any])
    callback_url: str = ""
    called_back: bool = False
    faults: list[Fault] = field(default_factory=list[Fault])
    outcome: Outcome = ""
    outcome_at: float = 0.0
    failure: Failure | None = None
    clip: str = ""
    """The name of its file, and of the files of what it refers to; the clip is rendered when it is first asked for."""
    references: list[str] = field(default_factory=list[str])
    final: float = 0.0
    """When the outcome became visible on the clock; 0 while the task is open."""
    deleted: bool = False

    @property
    def due(self) -> float:
        return self.created + self.seconds

    def fault(self, name: str) -> Fault | None:
        return next((f for f in self.faults if f.name == name), None)


@dataclass(frozen=True, slots=True)
class View:
    """What one poll shows of a task, after the faults."""

    task: Task
    state: State
    percent: int
    url: str = ""
    expires: int = 0
    failure: Failure | None = None
    status_words: dict[State, str] = field(default_factory=dict[State, str])
    """Status spellings asked for by a fault, in place of the dialect's own."""
    unknown_word: str = ""
    shape: str = ""
    blocked: bool = False
    """DONE, yet moderated: an error object or flag and no video."""
    empty_error: bool = False

    def status_word(self, own: str) -> str:
        return self.unknown_word or self.status_words.get(self.state, own)
