"""A provider as data: the schema of its TOML file, which :mod:`.definition_file` reads.

The guide to these files is ``docs/provider-files.md``. They hold no code and no secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from ..models import Capability, Mode
from ..models.url import fault_of
from .body import Template, merge

_FRAMING_HEADERS = frozenset(
    {
        *("accept-encoding", "connection", "content-encoding", "content-length", "content-type", "cookie", "expect"),
        *("host", "keep-alive", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)
"""Headers that decide where a request goes or how it is read: a key in them would reach someone else, or nobody."""


def _allowed_header(name: str) -> str:
    if name.lower() in _FRAMING_HEADERS:
        raise ValueError(f"{name} is not a header for a key; use Authorization or the provider's own, like X-API-Key")
    return name


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be printable text on one line")
    return text


Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,39}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_printable)]
Header = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,60}$"), AfterValidator(_allowed_header)]
Number = Annotated[float, Field(allow_inf_nan=False)]
_PATH = r"^(?:/(?:\{model\}|\{task_id\}|[A-Za-z0-9_~-][A-Za-z0-9._~-]*))+"
Path = Annotated[str, StringConstraints(pattern=_PATH + "$", max_length=200)]
TaskPath = Annotated[str, StringConstraints(pattern=_PATH + r"(?:\?[A-Za-z_]+=\{task_id\})?$", max_length=200)]
Place = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*){0,7}$")]
"""A dotted path in an answer."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Key(_Table):
    """How the API key is kept and sent. The key itself is never in the file."""

    variable: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{2,60}$")]
    prefix: Annotated[str, StringConstraints(pattern=r"^[!-~]{0,20}$")] = ""
    header: Header = "Authorization"
    scheme: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{0,20}$")] = "Bearer"


class Tokens(_Table):
    """How a prompt names an image, and the modes in which it may."""

    modes: frozenset[Mode] = frozenset()
    spelling: Annotated[str, StringConstraints(pattern=r"^[^{}]{0,20}\{n\}[^{}]{0,20}$")] = "@image{n}"


class Variant(_Table):
    """What differs in some modes, or with one number of images. Body fields are added to those of every submit."""

    modes: frozenset[Mode] = frozenset(Mode)
    images: int | None = None
    path: Path | None = None
    body: Template = Field(default_factory=dict[str, Any])


class Submit(_Table):
    """The POST that starts a task."""

    path: Path
    body: Template
    variants: tuple[Variant, ...] = ()

    def template(self, mode: Mode, images: int) -> tuple[str, Template]:
        """Path and template of a request in this mode with so many images."""
        fitting = [one for one in self.variants if mode in one.modes and one.images in (None, images)]
        path = next((one.path for one in fitting if one.path), self.path)
        return path, merge(self.body, *(one.body for one in fitting))


class Idempotency(_Table):
    """A header whose value names one submit: with the same value, the provider makes and charges no second task."""

    header: Header
    hours: int = Field(gt=0, le=24 * 31)
    """How long the provider remembers the value."""


class Billed(_Table):
    """Where a finished task says what it cost, and how many of that unit make one US dollar."""

    path: Place
    units_per_usd: Decimal = Field(gt=0)


class Read(_Table):
    """Where answers hold what we look for, the documented place first."""

    task_id: tuple[Place, ...] = Field(min_length=1)
    video: tuple[Place, ...] = Field(min_length=1)
    video_fallback: tuple[Place, ...] = ()
    """Fields that mean something else, and hold the URL only in finished answers of some builds."""
    billed: Billed | None = None


ErrorKind = Literal[
    "auth_rejected",
    "bad_request",
    "content_refused",
    "out_of_credit",
    "provider_down",
    "rate_limited",
    "task_not_found",
]


class Errors(_Table):
    """Error codes and telling phrases, by kind of error, and the codes of a task that mean moderation."""

    codes: Mapping[ErrorKind, tuple[str, ...]] = Field(default_factory=dict[ErrorKind, tuple[str, ...]])
    phrases: Mapping[ErrorKind, tuple[str, ...]] = Field(default_factory=dict[ErrorKind, tuple[str, ...]])
    moderation_codes: frozenset[str] = frozenset()


class Definition(_Table):
    """All that a provider's file says."""

    name: Name
    """Stored with every job: never rename it."""
    label: Text
    base_url: str | None = None
    pricing_url: str | None = None
    key_url: str | None = None
    """Where its users make their API keys."""
    prices_seen: date | None = None
    """The day on which the prices below were read."""
    key: Key
    poll_schedule: tuple[tuple[Number, Number], ...] = Field(min_length=1, max_length=20)
    """(age of the task, seconds until the next poll), interpolated between the points."""
    longest_job_hours: int = Field(default=24, gt=0, le=24 * 31)
    result_lifetime_hours: int = Field(gt=0, le=24 * 3660)
    refunds_failures: bool = False
    takes_data_uris: bool = False
    has_own_model_names: bool = False
    """Whether each gateway of this kind may have another name for the model."""
    tokens: Tokens = Tokens()
    reasons: Mapping[str, Text] = Field(default_factory=dict[str, str])
    """Why a value is refused, where the list of what is offered would not tell."""
    rules: Mapping[str, str] = Field(default_factory=dict[str, str])
    """The contract's number for each field's rule."""
    capabilities: tuple[Capability, ...] = Field(min_length=1)
    submit: Submit
    poll: TaskPath
    result: TaskPath | None = None
    """Where the result is read, for a provider whose answer to a poll says the state alone."""
    content: TaskPath | None = None
    """Where the file itself can be read, beside the result URL."""
    idempotency: Idempotency | None = None
    read: Read
    errors: Errors = Errors()

    @model_validator(mode="before")
    @classmethod
    def _spread_limits(cls, fields: Any) -> Any:
        """``[limits]`` and ``[rules]`` hold for every capability that does not say otherwise."""
        if not isinstance(fields, dict):
            return fields
        table = dict(cast("dict[str, Any]", fields))
        limits, rules, listed = table.pop("limits", {}), table.get("rules", {}), table.get("capabilities")
        if isinstance(listed, list) and isinstance(limits, dict) and isinstance(rules, dict):
            shared, ids = cast("dict[str, Any]", limits), cast("dict[str, Any]", rules)
            spread = [_capability(one, shared, ids) for one in cast("list[Any]", listed)]
            table["capabilities"] = [one for several in spread for one in several]
        return table

    @field_validator("base_url", "pricing_url", "key_url")
    @classmethod
    def _is_public(cls, url: str | None) -> str | None:
        fault = None if url is None else fault_of(url, allow_private=False)
        if fault or (url and not url.startswith("https://")):
            raise ValueError(f"must be a public https URL; it {fault or 'is not https'}")
        return url

    @field_validator("poll", "result", "content")
    @classmethod
    def _names_the_task(cls, path: str | None) -> str | None:
        if path is not None and path.count("{task_id}") != 1:
            raise ValueError("must hold {task_id} once")
        return path

    @field_validator("poll_schedule")
    @classmethod
    def _rises(cls, points: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
        ages, waits = [point[0] for point in points], [point[1] for point in points]
        if ages != sorted(ages) or ages[0] != 0 or waits != sorted(waits) or not 1 <= waits[0] <= waits[-1] <= 3600:
            raise ValueError("must begin at age 0 and rise, with waits of 1 to 3600 seconds")
        return points


def _capability(own: Any, limits: Mapping[str, Any], rules: Mapping[str, Any]) -> list[Any]:
    """The capability with what it shares, once for each model that it names."""
    if not isinstance(own, dict):
        return [own]
    fields = {**limits, **cast("dict[str, Any]", own)}
    fields["rules"] = {**rules, **fields.get("rules", {})}
    model = fields.get("model")
    return [{**fields, "model": one} for one in cast("list[Any]", model)] if isinstance(model, list) else [fields]
