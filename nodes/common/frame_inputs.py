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
            tooltip="Frames per second to repeat or drop frames to; 0 keeps the video's own. Comes before the others.",
        ),
        io.Int.Input(
            "frame_load_cap",
            default=0,
            min=0,
            max=_MANY,
            optional=True,
            tooltip="Load so many frames at most; 0 loads all. What comes after them is not decoded.",
        ),
        io.Int.Input(
            "skip_first_frames",
            default=0,
            min=0,
            max=_MANY,
            optional=True,
            tooltip="Leave out so many frames at the beginning. They are jumped over, not decoded.",
        ),
        io.Int.Input(
            "select_every_nth",
            default=1,
            min=1,
            max=_MANY,
            optional=True,
            tooltip="Load one frame out of so many; 1 loads all. fps is divided by it, so that the sound fits.",
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
            tooltip="Begin so many seconds into the video. The sound is cut to the same part.",
        ),
        io.Float.Input(
            "duration_seconds",
            default=0.0,
            min=0.0,
            max=_LONG,
            step=0.1,
            optional=True,
            advanced=True,
            tooltip="Load so many seconds; 0 loads to the end. The frame counts above are within this part.",
        ),
        io.Combo.Input(
            "which_frames",
            options=["all", "first", "last"],
            default="all",
            optional=True,
            advanced=True,
            tooltip="all of the frames chosen above, or only the first or the last of them. The last frame of a long "
            "video is found without decoding the rest.",
        ),
    ]


def what_size() -> list[Any]:
    """The size that frames are brought to while they are decoded."""
    return [
        _pixels(
            "longest_side",
            "The longer side in pixels, keeping the shape; 0 keeps the size. Never enlarges.",
            advanced=False,
        ),
        _pixels(
            "width", "The exact width in pixels; 0 follows height, or keeps the size. Not with longest_side.", True
        ),
        _pixels(
            "height", "The exact height in pixels; 0 follows width, or keeps the size. Not with longest_side.", True
        ),
        io.Int.Input(
            "multiple_of",
            default=1,
            min=1,
            max=512,
            optional=True,
            advanced=True,
            tooltip="Round both sides down to a multiple of this: 8, 16, 32 or 64 for most models; 1 is off.",
        ),
        io.Combo.Input(
            "fit",
            options=["crop", "pad", "stretch"],
            default="crop",
            optional=True,
            advanced=True,
            tooltip="Where the new size has another shape: crop fills it and cuts off what is over, pad shows all "
            "with black around it, stretch distorts.",
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
