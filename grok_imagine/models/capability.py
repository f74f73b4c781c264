"""What one model supports in one mode: its options, limits and price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal

from .request import Mode


@dataclass(frozen=True)
class Cost:
    """An amount in US dollars, and in the provider's credits (None if it has none)."""

    credits: Decimal | None
    usd: Decimal
    is_estimate: bool = True

    def __str__(self) -> str:
        usd = f"${self.usd.quantize(Decimal('0.001')).normalize():f}"
        about = "about " if self.is_estimate else ""
        if self.credits is None:
            return f"{about}{usd}"
        return f"{about}{self.credits.normalize():f} credits ({usd})"


def sum_costs(costs: list[Cost | None]) -> Cost | None:
    """The sum; None if one of the costs is unknown, or there are none."""
    known = [cost for cost in costs if cost is not None]
    if not known or len(known) < len(costs):
        return None
    credits = [cost.credits for cost in known if cost.credits is not None]
    total_credits = sum(credits, Decimal(0)) if len(credits) == len(known) else None
    total_usd = sum((cost.usd for cost in known), Decimal(0))
    return Cost(total_credits, total_usd, any(cost.is_estimate for cost in known))


@dataclass(frozen=True)
class Price:
    """A published price in credits: per clip, per second at each resolution, and per reference image.

    The provider files name the source of each price. The sum is rounded up to whole credits. A price with one USD per
    credit is in dollars: it is not rounded, and no credits are reported.
    """

    usd_per_credit: Decimal = Decimal(1)
    per_second: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    per_clip: Decimal = Decimal(0)
    per_image: Decimal = Decimal(0)

    def cost(self, *, resolution: str | None, seconds: int, images: int = 0) -> Cost:
        """The estimate for one clip. ``resolution`` must be a key of ``per_second``, if that has any."""
        credits = self.per_clip + self.per_image * images
        if self.per_second:
            credits += self.per_second[resolution or ""] * seconds
        if self.usd_per_credit == 1:
            return Cost(None, credits)
        credits = credits.to_integral_value(rounding=ROUND_CEILING)
        return Cost(credits, credits * self.usd_per_credit)


@dataclass(frozen=True)
class Duration:
    """The durations that can be requested, in whole seconds, inclusive. ``default`` None: a choice is required."""

    shortest: int
    longest: int
    default: int | None = None


@dataclass(frozen=True)
class SourceLimits:
    """The limits of the source video's length, in seconds, inclusive.

    ``is_warning``: the limit is only known from xAI, so a request beyond it is sent with a warning. ``is_billed``: the
    provider bills by this length, so it should be known.
    """

    shortest: float | None = None
    longest: float | None = None
    is_warning: bool = False
    is_billed: bool = False


@dataclass(frozen=True)
class Capability:
    """What one model supports in one mode.

    An empty tuple, or None, for an option means that the provider documents no such parameter in this mode: it is never
    sent (rule C8), and requesting it is an error (C9). ``rules`` has, for each field, the contract's rule for its
    limit. With up to ``ratio_follows_images`` images the output has the first image's aspect ratio: requesting another
    is a warning, and it is not sent. ``image_bytes`` is the documented size limit of an image in bytes.
    """

    model: str
    mode: Mode
    rules: Mapping[str, str]
    aspect_ratios: tuple[str, ...] = ()
    default_aspect_ratio: str | None = None
    ratio_follows_images: int = 0
    resolutions: tuple[str, ...] = ()
    default_resolution: str | None = None
    duration: Duration | None = None
    motion_modes: tuple[str, ...] = ()
    min_images: int = 0
    max_images: int = 0
    image_bytes: int | None = None
    takes_video: bool = False
    source: SourceLimits | None = None
    prompt_required: bool = True
    prompt_limit: int | None = None
    price: Price | None = None
