"""Frames to RGB at a given size, by swscale, with the colour matrix and the range that the file names.

Frames of 8 bits become rgb24. Those of more become floats in planes, which no rounding to 8 bits has gone through.
"""

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


RGB_BYTES, RGB_FLOATS = "rgb24", "gbrpf32le"


class Scaler(Protocol):
    """Makes a frame of the given width and height, in ``rgb_format`` of the given one. Belongs to one thread."""

    def __call__(self, frame: VideoFrame, width: int, height: int) -> VideoFrame: ...


def new_scaler() -> Scaler:
    """The fastest one that this PyAV has, for frames of 8 bits; the exact one for others."""
    return _Filters()


class _Filters:
    """One filter graph, built anew when the film changes its format on the way; PyAV's own way where that is faster.

    FFmpeg's filters write into a pool of pictures, a reformatter into fresh memory for each frame, which costs four
    times as much as the conversion itself. Older filters of PyAV hold the GIL, which costs more, or cannot be told to
    use one thread; those of version 18 do neither. Only filters can be told where chroma lies.
    """

    def __init__(self) -> None:
        self._key: object = None
        self._graph: Any = None
        self._plain = _Reformatter()
        self._can_thread = hasattr(Graph, "threads")

    def __call__(self, frame: VideoFrame, width: int, height: int) -> VideoFrame:
        is_pooled = self._can_thread and frame.format.name in POOLED
        if rgb_format(frame) == RGB_BYTES and not is_pooled:
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
        if self._can_thread:
            graph.threads = 1  # the threads around this one are enough
        flags = _flags(frame, width, height)
        steps: list[tuple[str, str]] = [
            (
                "scale",
                f"w={width}:h={height}:flags={flags}:in_color_matrix={NAMES[matrix]}"
                f":in_range={'pc' if range_ == FULL_RANGE else 'tv'}:out_range=pc{_siting(frame)}",
            ),
            ("format", f"pix_fmts={rgb_format(frame)}"),
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
        return self._reformat(frame, width, height, RGB_BYTES, interpolation=flags, **_colours(frame))


def rgb_format(frame: VideoFrame) -> str:
    """FFmpeg's name of the format that ``frame`` is converted to."""
    is_deep = bits_of(frame) > 8 and len(frame.format.components) >= 3 and not frame.format.is_rgb
    return RGB_FLOATS if is_deep else RGB_BYTES


def bits_of(frame: VideoFrame) -> int:
    """Bits of each sample."""
    return max(component.bits for component in frame.format.components)


def white_of(frame: VideoFrame) -> float:
    """What swscale makes of white in floats, a little less than 1.

    It shifts samples to 16 bits: white in limited range is 255 there, shifted by 8, and not 65535.
    """
    _, range_ = source_colours(frame)
    bits = bits_of(frame) if range_ == FULL_RANGE else 8
    return (((1 << bits) - 1) << (16 - bits)) / 65535


def _siting(frame: VideoFrame) -> str:
    """Chroma lies at the left of each pair of pixels, as in MPEG-2, H.264 and HEVC if they say nothing.

    swscale takes it to lie in the middle. Only for frames that become floats: chroma is repeated for the others.
    """
    if rgb_format(frame) == RGB_BYTES:
        return ""
    luma, chroma = frame.format.components[:2]
    across = ":in_h_chr_pos=0" if chroma.width < luma.width else ""
    return across + (":in_v_chr_pos=128" if chroma.height < luma.height else "")


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
