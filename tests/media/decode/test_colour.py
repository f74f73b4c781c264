"""Colors for every matrix and range."""

from __future__ import annotations

import av
import numpy as np
import pytest

from grok_imagine.media.frames.decode import decode

COLOURS = [(200, 30, 40), (30, 180, 60), (20, 40, 220), (128, 128, 128), (240, 230, 10), (12, 12, 12), (250, 250, 250)]
# Luma weights of red and blue. Source: ITU-R BT.601 and BT.709.
WEIGHTS = {"bt709": (0.2126, 0.0722), "bt601": (0.299, 0.114)}
TAGS = {"bt709": 1, "bt601": 6}
LIMITED, FULL = 1, 2


def yuv(colour, matrix, full):
    red, green, blue = (value / 255 for value in colour)
    of_red, of_blue = WEIGHTS[matrix]
    luma = of_red * red + (1 - of_red - of_blue) * green + of_blue * blue
    u, v = (blue - luma) / (2 * (1 - of_blue)), (red - luma) / (2 * (1 - of_red))
    if full:
        return round(255 * luma), round(255 * u + 128), round(255 * v + 128)
    return round(16 + 219 * luma), round(128 + 224 * u), round(128 + 224 * v)


def write(path, matrix, full, pixel_format):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width = stream.height = 64
        stream.pix_fmt, stream.options = pixel_format, {"qp": "0"}
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = TAGS[matrix]
        context.color_range = FULL if full else LIMITED
        for colour in COLOURS:
            frame = av.VideoFrame(64, 64, pixel_format)
            for plane, value in zip(frame.planes, yuv(colour, matrix, full), strict=True):
                plane.update(bytes([value]) * plane.buffer_size)
            frame.colorspace, frame.color_range = TAGS[matrix], FULL if full else LIMITED
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p"])
@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", ["bt709", "bt601"])
def test_colours_come_back(tmp_path, matrix, full, pixel_format):
    path = tmp_path / "colours.mp4"
    write(path, matrix, full, pixel_format)
    frames = decode(path).frames * 255
    assert frames.shape == (len(COLOURS), 64, 64, 3)
    for frame, colour in zip(frames, COLOURS, strict=True):
        assert np.abs(frame - colour).max() <= 2.01
