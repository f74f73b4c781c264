"""Converts frames to RGB at a given size with swscale, using the file's color matrix and range.

Frames of 8 bits become rgb24. Those of more bits become planar floats, without rounding to 8 bits.
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
# MATRICES maps AVColorSpace to swscale's number; old versions of PyAV lack some names. Any other file counts as BT.601,
# as in swscale. Source: libavutil/pixfmt.h and libswscale/swscale.h.
BT709, FCC, BT601, SMPTE240M, BT2020 = 1, 4, 5, 7, 9
MATRICES = {1: BT709, 4: FCC, 7: SMPTE240M, 9: BT2020, 10: BT2020}
# The names of FFmpeg's scale filter.
NAMES = {BT709: "bt709", FCC: "fcc", BT601: "bt601", SMPTE240M: "smpte240m", BT2020: "bt2020"}
UNSPECIFIED_RANGE, LIMITED_RANGE, FULL_RANGE = 0, 1, 2

# The usual formats. Of rarer ones, filters place the chroma half a pixel differently than ``to_ndarray``.
POOLED = ("yuv420p", "yuvj420p")

# PyAV's default, so that pixels equal those of ``to_ndarray``; and a sharper one if the size changes.
SAME_SIZE, OTHER_SIZE = "bilinear", "bicubic"


RGB_BYTES, RGB_FLOATS = "rgb24", "gbrpf32le"


class Scaler(Protocol):
    """Returns a frame of the given width and height, in ``rgb_format`` of the given one. Belongs to one thread."""

    def __call__(self, frame: VideoFrame, width: int, height: int) -> VideoFrame: ...


def new_scaler() -> Scaler:
    """The fastest scaler of this PyAV version for frames of 8 bits, the exact one for others."""
    return _Filters()


class _Filters:
    """One filter graph, rebuilt when the video's format changes; a reformatter where that is faster.

    FFmpeg's filters reuse a pool of frames. A reformatter allocates each frame, which takes four times as long as the
    conversion itself. Before version 18, PyAV's filters hold the GIL, which takes longer still, or use more threads.
    Only filters can be told where chroma is sited.
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
            self._graph, self._key = self._build(frame, width, height), key
        # The times do not matter here, and a graph rejects some.
        frame.pts = None
        self._graph.push(frame)
        return self._graph.pull()

    def _build(self, frame: VideoFrame, width: int, height: int) -> Any:
        matrix, range_ = source_colours(frame)
        graph: Any = Graph()
        if self._can_thread:
            graph.threads = 1  # the callers' threads are enough
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
    """PyAV's reformatter."""

    def __init__(self) -> None:
        self._reformat = cast(Callable[..., VideoFrame], VideoReformatter().reformat)

    def __call__(self, frame: VideoFrame, width: int, height: int) -> VideoFrame:
        flags = _flags(frame, width, height).upper()
        return self._reformat(frame, width, height, RGB_BYTES, interpolation=flags, **_colors(frame))


def rgb_format(frame: VideoFrame) -> str:
    """FFmpeg's name of the format that ``frame`` is converted to."""
    is_deep = bits_of(frame) > 8 and len(frame.format.components) >= 3 and not frame.format.is_rgb
    return RGB_FLOATS if is_deep else RGB_BYTES


def bits_of(frame: VideoFrame) -> int:
    """Bits of each sample."""
    return max(component.bits for component in frame.format.components)


def white_of(frame: VideoFrame) -> float:
    """swscale's value of white in floats, a little less than 1.

    It shifts samples to 16 bits: white in limited range is 255 there, shifted by 8, and not 65535.
    """
    _, range_ = source_colours(frame)
    bits = bits_of(frame) if range_ == FULL_RANGE else 8
    return (((1 << bits) - 1) << (16 - bits)) / 65535


def _siting(frame: VideoFrame) -> str:
    """Chroma is sited at the left of each pair of pixels, the default of MPEG-2, H.264 and HEVC.

    swscale assumes the middle. Only for frames that become floats: in the others swscale repeats chroma.
    """
    if rgb_format(frame) == RGB_BYTES:
        return ""
    luma, chroma = frame.format.components[:2]
    across = ":in_h_chr_pos=0" if chroma.width < luma.width else ""
    return across + (":in_v_chr_pos=128" if chroma.height < luma.height else "")


def _flags(frame: VideoFrame, width: int, height: int) -> str:
    return SAME_SIZE if (frame.width, frame.height) == (width, height) else OTHER_SIZE


class _Colors(TypedDict):
    src_colorspace: int
    dst_colorspace: int
    src_color_range: int
    dst_color_range: int


def _colors(frame: VideoFrame) -> _Colors:
    """The file's matrix and range. Before version 17, PyAV ignores them unless all four are given."""
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
    # RGB and full-range formats often do not specify it.
    if range_ == UNSPECIFIED_RANGE and (frame.format.is_rgb or frame.format.name.startswith(("yuvj", "gray"))):
        range_ = FULL_RANGE
    return MATRICES.get(int(frame.colorspace), BT601), range_


class Threads(TypedDict, total=False):
    """An argument that not every PyAV version has."""

    threads: int


def one_thread() -> Threads:
    """Disables swscale's threads, which would compete with ours. PyAV before version 17 has no such argument."""
    return {"threads": 1} if pyav_version() >= 17 else {}
