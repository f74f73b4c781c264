"""Frames to RGB at a given size, by swscale, with the colour matrix and the range that the file names."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Protocol, TypedDict, cast

from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from ..open import pyav_version

# BT709 is 1 in AVColorPrimaries and AVColorTransferCharacteristic too.
# From the matrix that a file names (AVColorSpace) to swscale's number for it. Old versions of PyAV do not name them
# all. Every other file is taken for BT.601, as swscale does. Source: libavutil/pixfmt.h and libswscale/swscale.h.
BT709, FCC, BT601, SMPTE240M, BT2020 = 1, 4, 5, 7, 9
MATRICES = {1: BT709, 4: FCC, 7: SMPTE240M, 9: BT2020, 10: BT2020}
# The same in the words of FFmpeg's scale filter.
NAMES = {BT709: "bt709", FCC: "fcc", BT601: "bt601", SMPTE240M: "smpte240m", BT2020: "bt2020"}
UNSPECIFIED_RANGE, LIMITED_RANGE, FULL_RANGE = 0, 1, 2

# The format that clips have. Filters see the chroma of rarer ones half a pixel further than ``to_ndarray`` does.
POOLED = ("yuv420p", "yuvj420p")

# PyAV's own default, so that pixels are those of a plain ``to_ndarray``; and a sharper one where sizes change.
SAME_SIZE, OTHER_SIZE = "bilinear", "bicubic"


class Scaler(Protocol):
    """Makes an rgb24 frame of the given width and height. Belongs to one thread."""

    def __call__(self, frame: VideoFrame, width: int, height: int) -> VideoFrame: ...


def new_scaler() -> Scaler:
    """The fastest one that this PyAV has.

    FFmpeg's filters write into a pool of pictures, a reformatter into fresh memory for each frame, which costs four
    times as much as the conversion itself. Older filters of PyAV hold the GIL, which costs more, or cannot be told to
    use one thread; those of version 18 do neither.
    """
    return _Filters() if hasattr(Graph, "threads") else _Reformatter()


class _Filters:
    """One filter graph, built anew when the film changes its format on the way."""

    def __init__(self) -> None:
        self._key: object = None
        self._graph: Any = None
        self._plain = _Reformatter()

    def __call__(self, frame: VideoFrame, width: int, height: int) -> VideoFrame:
        if frame.format.name not in POOLED:
            return self._plain(frame, width, height)
        matrix, range_ = source_colours(frame)
        key = (frame.width, frame.height, frame.format.name, matrix, range_, width, height)
        if key != self._key:
            self._graph, self._key = self._built(frame, width, height), key
        # The film's own times do not matter here, and a graph objects to some.
        frame.pts = None
        self._graph.push(frame)
        return self._graph.pull()

    def _built(self, frame: VideoFrame, width: int, height: int) -> Any:
        matrix, range_ = source_colours(frame)
        graph: Any = Graph()
        # The threads around this one are enough.
        graph.threads = 1
        flags = _flags(frame, width, height)
        steps: list[tuple[str, str]] = [
            (
                "scale",
                f"w={width}:h={height}:flags={flags}:in_color_matrix={NAMES[matrix]}"
                f":in_range={'pc' if range_ == FULL_RANGE else 'tv'}:out_range=pc",
            ),
            ("format", "pix_fmts=rgb24"),
            ("buffersink", ""),
        ]
        last = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000)
        )
        for name, settings in steps:
            added = graph.add(name, settings) if settings else graph.add(name)
            last.link_to(added)
            last = added
        graph.configure()
        return graph


class _Reformatter:
    """PyAV's own way."""

    def __init__(self) -> None:
        self._reformat = cast(Callable[..., VideoFrame], VideoReformatter().reformat)

    def __call__(self, frame: VideoFrame, width: int, height: int) -> VideoFrame:
        flags = _flags(frame, width, height).upper()
        return self._reformat(frame, width, height, "rgb24", interpolation=flags, **_colours(frame))


def _flags(frame: VideoFrame, width: int, height: int) -> str:
    return SAME_SIZE if (frame.width, frame.height) == (width, height) else OTHER_SIZE


class _Colours(TypedDict):
    src_colorspace: int
    dst_colorspace: int
    src_color_range: int
    dst_color_range: int


def _colours(frame: VideoFrame) -> _Colours:
    """Matrix and range as the file says. Before version 17, PyAV ignored them unless all four were given."""
    matrix, range_ = source_colours(frame)
    return {
        "src_colorspace": matrix,
        "dst_colorspace": BT601,
        "src_color_range": range_,
        "dst_color_range": FULL_RANGE,
    }


def source_colours(frame: VideoFrame) -> tuple[int, int]:
    """swscale's number for the matrix of ``frame``, and its range."""
    range_ = int(frame.color_range)
    # A file need not say what goes without saying.
    if range_ == UNSPECIFIED_RANGE and (frame.format.is_rgb or frame.format.name.startswith(("yuvj", "gray"))):
        range_ = FULL_RANGE
    return MATRICES.get(int(frame.colorspace), BT601), range_


class Threads(TypedDict, total=False):
    """An argument that not every PyAV has."""

    threads: int


def one_thread() -> Threads:
    """swscale's own threads would fight with ours. Before version 17 it had none, and PyAV no such argument."""
    return {"threads": 1} if pyav_version() >= 17 else {}
