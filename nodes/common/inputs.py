"""The inputs and outputs that nodes share. Choices and limits come from the providers' capabilities alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from comfy_api.latest import io

from ...grok_imagine.models import Capability, Mode
from ...grok_imagine.providers.registry import Providers
from ..host import execution

AUTO = "auto"
FAIL, PLACEHOLDER = "fail", "placeholder"
CATEGORY = "Grok Imagine"
SEED_MAX = 2**31 - 1
_DEFAULT_SECONDS = 6

MAKES_FROM_TEXT = (Mode.TEXT,)
MAKES_FROM_IMAGES = (Mode.IMAGE, Mode.REFERENCE)


class ConnectionCheck:
    """A mixin for nodes with a ``connection``: an unknown name is rejected before anything runs.

    ``validate_inputs`` takes the connection alone: ComfyUI skips its own checks of the inputs that it takes.
    """

    @classmethod
    def validate_inputs(cls, connection: str | None = None) -> bool | str:
        """True, or what ComfyUI shows at the node."""
        # A linked value is only known when the graph runs; the session refuses it then.
        return True if connection is None else execution.runtime().settings.connection_fault(connection) or True


def schema(**fields: Any) -> io.Schema:
    """A Schema in our category, without those of ``fields`` that this ComfyUI does not know."""
    known = io.Schema.__dataclass_fields__
    return io.Schema(**{name: value for name, value in {"category": CATEGORY, **fields}.items() if name in known})


def clip_schema(
    node_id: str, name: str, description: str, aliases: list[str], modes: tuple[Mode, ...], inputs: list[Any]
) -> io.Schema:
    """The Schema of a node that makes one clip: ``inputs`` are its own, between those that all of them have."""
    everyone_offers = modes in (MAKES_FROM_TEXT, MAKES_FROM_IMAGES)
    offered = "" if everyone_offers else f" Offered by {list_providers(modes)}."
    return schema(
        node_id=node_id,
        display_name=name,
        description=f"{description}{offered} If a run is interrupted, run the graph again to pick it up. "
        "You won't pay twice.",
        search_aliases=["grok", "grok imagine", "xai", *aliases],
        inputs=[connection(offered, () if everyone_offers else modes), model(modes), *inputs, on_rejected()],
        outputs=job_outputs(),
        hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo],
    )


def connection(extra: str = "", modes: tuple[Mode, ...] = ()) -> io.Combo.Input:
    """The connection's name. Its key stays on the server. With ``modes``, the default is a sandbox that has them."""
    from ...grok_imagine.jobs.connections import sandbox_names

    names = list(execution.runtime().settings.profiles())
    able = [name for name, dialect in sandbox_names(_providers()).items() if set(modes) <= _modes_of(dialect)]
    return io.Combo.Input(
        "connection",
        options=names,
        default=able[0],
        tooltip="The connection that makes the clip. 'sandbox' is a free offline simulator and needs no key. Keys are "
        "never saved in workflows." + extra,
    )


def fallbacks() -> io.String.Input:
    """Connections to try when the first one rejects the request."""
    return io.String.Input(
        "fallbacks",
        default="",
        optional=True,
        dynamic_prompts=False,
        placeholder="other connections, in order",
        advanced=True,
        tooltip="Backup connections, comma-separated. Used only if the first definitely did not accept the job.",
    )


def model(modes: tuple[Mode, ...]) -> io.Combo.Input:
    """The model's id at the provider."""
    ids = _union(modes, lambda capability: (capability.model,))
    offered = _by_provider(modes, lambda found: ", ".join(dict.fromkeys(one.model for one in found)))
    return io.Combo.Input(
        "model",
        options=[AUTO, *ids],
        default=AUTO,
        advanced=True,
        tooltip=f"auto = the connection's default. {offered}. Prices can differ by model.",
    )


def prompt(text: str) -> io.String.Input:
    """What should happen in the clip. Sent as it is written: ComfyUI's {a|b} choices are off."""
    placeholder = "Describe what happens in the clip"
    return io.String.Input(
        "prompt", multiline=True, default="", dynamic_prompts=False, placeholder=placeholder, tooltip=text
    )


def prompt_limits(modes: tuple[Mode, ...]) -> str:
    """How long a prompt may be, for its tooltip."""
    limits = _by_provider(modes, lambda found: str(found[0].prompt_limit) if found[0].prompt_limit else "")
    return f"Maximum characters: {limits}. Doesn't affect the price."


def resolution(modes: tuple[Mode, ...]) -> io.Combo.Input:
    """The resolution."""
    tiers = sorted(_union(modes, lambda one: one.resolutions), key=lambda tier: int(tier.rstrip("p")))
    return io.Combo.Input(
        "resolution",
        options=[AUTO, *tiers],
        default=AUTO,
        tooltip=f"auto = provider default. {_offered(modes, lambda one: one.resolutions)}. {_prices(modes)}",
    )


def aspect_ratio(modes: tuple[Mode, ...], note: str) -> io.Combo.Input:
    """The aspect ratio."""
    offered = _offered(modes, lambda one: one.aspect_ratios)
    return io.Combo.Input(
        "aspect_ratio",
        options=[AUTO, *_union(modes, lambda one: one.aspect_ratios)],
        default=AUTO,
        tooltip=f"Width to height. {note} {offered}. Doesn't affect the price.",
    )


def duration(modes: tuple[Mode, ...]) -> io.Int.Input:
    """The length in whole seconds; 0 leaves it to the provider."""
    longest = max(one.duration.longest for one in _capabilities(modes) if one.duration)
    return io.Int.Input(
        "duration",
        default=_DEFAULT_SECONDS,
        min=0,
        max=longest,
        step=1,
        display_mode=io.NumberDisplay.slider,
        tooltip=f"Seconds. 0 = provider default. {_by_provider(modes, _seconds)}. Most providers charge by the second.",
    )


def motion_mode(modes: tuple[Mode, ...]) -> io.Combo.Input:
    """The motion mode, where a provider has one."""
    every = _union(tuple(Mode), lambda one: one.motion_modes)
    offered = _offered(modes, lambda one: one.motion_modes)
    return io.Combo.Input(
        "motion_mode",
        options=[AUTO, *every],
        default=AUTO,
        advanced=True,
        tooltip=f"Style of motion. Only some providers have it: {offered}. Use auto for all others. Doesn't affect the "
        "price.",
    )


def seed() -> io.Int.Input:
    """Decides re-runs; no provider takes a seed."""
    return io.Int.Input(
        "seed",
        default=0,
        min=0,
        max=SEED_MAX,
        # A value that changes by itself after each run would buy a new clip on each run.
        control_after_generate=io.ControlAfterGenerate.fixed,
        tooltip="The same inputs and seed are the same clip, paid once, in every node and list. Change it to get (and "
        "pay for) a new clip. Not sent to the provider.",
    )


def on_rejected() -> io.Combo.Input:
    """What to do when moderation refuses the clip."""
    return io.Combo.Input(
        "on_rejected",
        options=[FAIL, PLACEHOLDER],
        default=FAIL,
        optional=True,
        advanced=True,
        tooltip="If moderation refuses: stop, or continue with a marked placeholder. Neither sends the request again; "
        "the provider may charge for a refused clip.",
    )


def job_outputs() -> list[Any]:
    """The outputs of every node that makes a clip."""
    return [
        io.Video.Output(display_name="video", tooltip="The clip, as downloaded."),
        io.String.Output(
            display_name="job_id", tooltip="The job ID, for Grok Imagine: Wait for Task and Load Video Frames."
        ),
        io.String.Output(display_name="task_id", tooltip="The provider's task ID."),
        io.String.Output(display_name="url", tooltip="The clip's URL at the provider. It works for hours or days."),
        io.String.Output(
            display_name="info", tooltip="JSON: model, prompt, parameters, seed, cost, times, warnings, file."
        ),
    ]


def value(choice: str) -> str | None:
    """What a choice means for a request: ``auto`` leaves it to the provider."""
    return None if choice == AUTO else choice


def image_limit(modes: tuple[Mode, ...]) -> int:
    """The most images that any provider takes."""
    return max(one.max_images for one in _capabilities(modes))


def image_limits(modes: tuple[Mode, ...]) -> str:
    """How many images each provider takes, for a tooltip."""

    def words(found: list[Capability]) -> str:
        most = {one.mode: one.max_images for one in found}
        return ", ".join(f"{count} for {mode.label}" for mode, count in most.items())

    return _by_provider(modes, words)


def list_providers(modes: tuple[Mode, ...]) -> str:
    """The providers that have all these modes, for a tooltip."""
    labels = [one.label for one in _providers().values() if set(modes) <= _modes_of(one.name)]
    return ", ".join(labels[:-1]) + (" and " if labels[1:] else "") + labels[-1]


# -- tooltip texts from the providers' capabilities


def _providers() -> Providers:
    """The pack's own providers, and those of the user's files."""
    return Providers(execution.runtime().home)


def _modes_of(dialect: str) -> set[Mode]:
    return {one.mode for one in _providers()[dialect].capabilities}


def _capabilities(modes: tuple[Mode, ...]) -> Iterable[Capability]:
    return (one for provider in _providers().values() for one in provider.capabilities if one.mode in modes)


def _union(modes: tuple[Mode, ...], of: Callable[[Capability], tuple[str, ...]]) -> list[str]:
    """All choices in these modes. A dialect that spells ``auto`` as a choice means what our own ``auto`` means."""
    every = dict.fromkeys(choice for one in _capabilities(modes) for choice in of(one))
    return [choice for choice in every if choice != AUTO]


def _offered(modes: tuple[Mode, ...], of: Callable[[Capability], tuple[str, ...]]) -> str:
    """Which provider has which choices, all in one order, so that equal lists are merged."""
    order = _union(modes, of)
    return _by_provider(modes, lambda found: ", ".join(one for one in order if any(one in of(each) for each in found)))


def _by_provider(modes: tuple[Mode, ...], words: Callable[[list[Capability]], str]) -> str:
    """One line with the text of each provider; providers without one are left out."""
    said: dict[str, list[str]] = {}
    for provider in _providers().values():
        found = [one for one in provider.capabilities if one.mode in modes]
        if found and (text := words(found)):
            said.setdefault(text, []).append(provider.label)
    return "; ".join(f"{', '.join(labels)}: {text}" for text, labels in said.items())


def _seconds(found: list[Capability]) -> str:
    spans = [(one.duration.shortest, one.duration.longest) for one in found if one.duration]
    if not spans:
        return "fixed, use 0"
    return f"{min(low for low, _ in spans)} to {max(high for _, high in spans)} s"


def _prices(modes: tuple[Mode, ...]) -> str:
    def words(found: list[Capability]) -> str:
        price = found[0].price
        if price is None:
            return "see its pricing page"
        if not price.per_second:
            return f"${(price.per_clip * price.usd_per_credit).normalize():f} a clip"
        rates = {tier: f"${(rate * price.usd_per_credit).normalize():f}" for tier, rate in price.per_second.items()}
        if len(set(rates.values())) == 1:
            return f"{next(iter(rates.values()))} a second at any"
        return ", ".join(f"{rate} a second at {tier}" for tier, rate in rates.items())

    return f"Price: {_by_provider(modes, words)}."
