"""What one model can do in one mode: its choices, limits and price. Data only, no behaviour of a provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal

from .request import Mode


@dataclass(frozen=True)
class Cost:
    """An amount of money, in the provider's credits (None where it has none) and in US dollars."""

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
    """The sum; None where one of them is not known."""
    known = [one for one in costs if one is not None]
    if not known or len(known) < len(costs):
        return None
    credits = [one.credits for one in known if one.credits is not None]
    whole = sum(credits, Decimal(0)) if len(credits) == len(known) else None
    return Cost(whole, sum((one.usd for one in known), Decimal(0)), any(one.is_estimate for one in known))


@dataclass(frozen=True)
class Price:
    """A published price in credits: so much a clip, a second at each resolution, and a reference image.

    Source: the provider's own page, named beside each use. The sum is rounded up to whole credits. Where a credit is a
    dollar, the provider has none: prices are in dollars, and nothing is rounded.
    """

    usd_per_credit: Decimal = Decimal(1)
    per_second: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    per_clip: Decimal = Decimal(0)
    per_image: Decimal = Decimal(0)

    def cost(self, *, resolution: str | None, seconds: int, images: int = 0) -> Cost:
        """The estimate for one clip. ``resolution`` must be one that the price knows, if it knows any."""
        credits = self.per_clip + self.per_image * images
        if self.per_second:
            credits += self.per_second[resolution or ""] * seconds
        if self.usd_per_credit == 1:
            return Cost(None, credits)
        credits = credits.to_integral_value(rounding=ROUND_CEILING)
        return Cost(credits, credits * self.usd_per_credit)


@dataclass(frozen=True)
class Duration:
    """The whole seconds that can be asked for, both ends included; ``default`` None: a choice is required."""

    shortest: int
    longest: int
    default: int | None = None


@dataclass(frozen=True)
class SourceLimits:
    """How long the source video may be, in seconds, both ends included.

    ``is_warning``: the limit is upstream's, so a request beyond it is sent with a warning. ``is_billed``: the provider
    bills by this length, and it should be known.
    """

    shortest: float | None = None
    longest: float | None = None
    is_warning: bool = False
    is_billed: bool = False


@dataclass(frozen=True)
class Capability:
    """What one model can do in one mode.

    An empty tuple, or None, for a choice means that the provider documents no such parameter in this mode:
    it is never sent (rule C8) and asking for it is an error (C9). ``rules`` names, for each field, the rule of
    the contract that its limit comes from. Up to ``ratio_follows_images`` references the output takes the first one's
    ratio: asking for another is then a warning, and it is not sent. ``image_bytes`` is the documented size limit.
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
