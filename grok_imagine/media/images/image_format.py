"""Detects the format of image and video bytes, and whether an image contains metadata."""

from __future__ import annotations

from collections.abc import Iterator

PNG, JPEG, WEBP, MP4 = "image/png", "image/jpeg", "image/webp", "video/mp4"

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"

# Brands of ISO files that are MP4 videos; images (avif, heic), audio (M4A) and QuickTime use the same container.
# Source: the registered brands at mp4ra.org.
MP4_BRANDS = (b"iso", b"mp4", b"avc1", b"M4V", b"dash", b"MSNV", b"cmf", b"hvc1", b"av01")

# The chunks without metadata; others are text, EXIF, time, animation or unknown. Source: PNG specification, table 5.3.
PNG_PLAIN = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"sBIT", b"pHYs"}
# The chunks without EXIF, XMP or animation. Source: RFC 9649.
WEBP_PLAIN = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP"}

JPEG_SCAN, JPEG_END, JPEG_COMMENT = 0xDA, 0xD9, 0xFE
JPEG_APPS = range(0xE0, 0xF0)
JPEG_RESTARTS = range(0xD0, 0xD8)


def sniff(data: bytes) -> str | None:
    """The media type of JPEG, PNG, WebP or MP4 bytes by their first 12 bytes; None for anything else."""
    if data.startswith(PNG_MAGIC):
        return PNG
    if data.startswith(b"\xff\xd8\xff"):
        return JPEG
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return WEBP
    if data[4:8] == b"ftyp" and data[8:12].startswith(MP4_BRANDS):
        return MP4
    return None


def is_bare(data: bytes) -> bool:
    """Whether a PNG, JPEG or WebP file contains a single image and nothing else.

    A color profile is allowed. EXIF, XMP, texts, thumbnails, a second image, bytes after the end, and anything unknown
    are not: they may reveal where a photo was taken, or contain a workflow.
    """
    try:
        return {PNG: _png_is_bare, JPEG: _jpeg_is_bare, WEBP: _webp_is_bare}[sniff(data) or ""](data)
    except (KeyError, IndexError):
        return False


def _png_is_bare(data: bytes) -> bool:
    at = len(PNG_MAGIC)
    while at < len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        at += 12 + length
        if kind not in PNG_PLAIN:
            return False
        if kind == b"IEND":
            return at == len(data)
    return False


def _webp_is_bare(data: bytes) -> bool:
    at = 12
    while at < len(data):
        if data[at : at + 4] not in WEBP_PLAIN:
            return False
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + length + length % 2
    return at == len(data) == 8 + int.from_bytes(data[4:8], "little")


def _jpeg_is_bare(data: bytes) -> bool:
    for marker, body in _jpeg_segments(data):
        if marker == JPEG_END:
            return not body
        if marker == JPEG_COMMENT or (marker in JPEG_APPS and not _is_plain_app(marker, body)):
            return False
    return False


def _is_plain_app(marker: int, body: bytes) -> bool:
    """JFIF without a thumbnail, a color profile, or Adobe's segment on the color model."""
    if marker == 0xE0:
        return body.startswith(b"JFIF\0") and len(body) == 14
    return (marker == 0xE2 and body.startswith(b"ICC_PROFILE\0")) or (marker == 0xEE and body.startswith(b"Adobe"))


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Each marker with its body; for the end marker, the bytes after it. Source: ITU T.81, annex B."""
    at = 2
    while True:
        if data[at] != 0xFF:
            return
        marker = data[at + 1]
        if marker == JPEG_END:
            yield marker, data[at + 2 :]
            return
        if marker == 0xFF:
            at += 1
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, data[at + 4 : at + 2 + length]
        at += 2 + length
        if marker == JPEG_SCAN:
            at = _after_scan(data, at)


def _after_scan(data: bytes, at: int) -> int:
    # Within a scan, 0xFF is followed by 0 or by a restart marker.
    while (at := data.find(b"\xff", at)) >= 0:
        if data[at + 1] != 0 and data[at + 1] not in JPEG_RESTARTS:
            return at
        at += 2
    raise IndexError("the scan has no end")
