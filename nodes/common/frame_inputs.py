"""The inputs that say which frames are wanted and how large, in VideoHelperSuite's words where it has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

if TYPE_CHECKING:
    from ...grok_imagine.media.frames.resize import Resize
    from ...grok_imagine.media.frames.selection import FrameSelection

_MANY, _LONG, _LARGE = 1_000_000, 86_400.0, 16_384
_WINDOW = ("start_seconds", "duration_seconds", "force_rate", "skip_first_frames", "select_every_nth", "frame_load_cap")
_SIZE = ("longest_side", "width", "height", "multiple_of", "fit")


def which_frames() -> list[Any]:
    """The frames of a part of the video."""
    return [
        io.Float.Input(
            "force_rate",
            default=0.0,
            min=0.0,
            max=240.0,
            step=1.0,
            optional=True,
            tooltip="Frames per second; frames are repeated or dropped. 0 = the video's own. Applied first.",
        ),
        io.Int.Input(
            "frame_load_cap",
            default=0,
            min=0,
            max=_MANY,
            optional=True,
            tooltip="Maximum frames. 0 = all.",
        ),
        io.Int.Input(
            "skip_first_frames",
            default=0,
            min=0,
            max=_MANY,
            optional=True,
            tooltip="Frames to skip at the start.",
        ),
        io.Int.Input(
            "select_every_nth",
            default=1,
            min=1,
            max=_MANY,
            optional=True,
            tooltip="Keep every nth frame. fps is divided by n, so the audio still fits.",
        ),
        *_span(),
    ]


def _span() -> list[Any]:
    return [
        io.Float.Input(
            "start_seconds",
            default=0.0,
            min=0.0,
            max=_LONG,
            step=0.1,
            optional=True,
            advanced=True,
            tooltip="Start time in seconds. The audio is cut to match.",
        ),
        io.Float.Input(
            "duration_seconds",
            default=0.0,
            min=0.0,
            max=_LONG,
            step=0.1,
            optional=True,
            advanced=True,
            tooltip="Seconds to load. 0 = to the end. The frame counts above apply within this part.",
        ),
        io.Combo.Input(
            "which_frames",
            options=["all", "first", "last"],
            default="all",
            optional=True,
            advanced=True,
            tooltip="All selected frames, or only the first or the last. The last frame of a long video is found "
            "without decoding the rest.",
        ),
    ]


def what_size() -> list[Any]:
    """The size that frames are brought to while they are decoded."""
    return [
        _pixels(
            "longest_side",
            "Longer side in pixels, keeping the aspect ratio. 0 = original size. Never enlarges.",
            advanced=False,
        ),
        _pixels("width", "Exact width in pixels. 0 = follow height, or original size. Not with longest_side.", True),
        _pixels("height", "Exact height in pixels. 0 = follow width, or original size. Not with longest_side.", True),
        io.Int.Input(
            "multiple_of",
            default=1,
            min=1,
            max=512,
            optional=True,
            advanced=True,
            tooltip="Round both sides down to a multiple of this: 8, 16, 32 or 64 for most models. 1 = off.",
        ),
        io.Combo.Input(
            "fit",
            options=["crop", "pad", "stretch"],
            default="crop",
            optional=True,
            advanced=True,
            tooltip="If the aspect ratio changes: crop fills the frame and cuts off the edges, pad adds black "
            "borders, stretch distorts.",
        ),
    ]


def _pixels(name: str, tooltip: str, advanced: bool) -> Any:
    return io.Int.Input(name, default=0, min=0, max=_LARGE, step=8, optional=True, advanced=advanced, tooltip=tooltip)


def window(given: dict[str, Any]) -> FrameSelection:
    """The part that the inputs ask for. Raises RequestError for numbers that cannot be meant."""
    from ...grok_imagine.media.frames.selection import FrameSelection

    stated = {name: given[name] for name in _WINDOW if given.get(name) is not None}
    return FrameSelection(**stated, which=given.get("which_frames") or "all")


def resize(given: dict[str, Any]) -> Resize:
    """The size that the inputs ask for. Raises RequestError for numbers that cannot be meant."""
    from ...grok_imagine.media.frames.resize import Resize

    return Resize(**{name: given[name] for name in _SIZE if given.get(name) is not None})
