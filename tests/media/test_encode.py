"""Encoding images for upload: lossless if that fits, within the limit, without metadata."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile, PngImagePlugin, TiffImagePlugin

from grok_imagine.errors import EncodeError
from grok_imagine.media.images import compress
from grok_imagine.media.images.compress import similarity
from grok_imagine.media.images.encode import MAX_BYTES, encode_image, read_image, sniff
from grok_imagine.media.images.image_format import is_bare
from grok_imagine.media.images.pixels import to_uint8

ORIENTATION, MAKER = 0x0112, 0x010F
RED, BLUE = (255, 0, 0), (0, 0, 255)


def opened(blob) -> Image.Image:
    assert sniff(blob.data) == blob.media_type
    assert is_bare(blob.data)
    picture = Image.open(io.BytesIO(blob.data))
    picture.load()
    return picture


def values(blob) -> np.ndarray:
    return np.asarray(opened(blob))


def noise(height, width, channels=3):
    return np.random.default_rng(1).integers(0, 256, (height, width, channels), np.uint8)


class TestArrays:
    @pytest.mark.parametrize("shape", [(1, 1), (7, 5), (33, 64)])
    @pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.uint8])
    def test_png_is_exact(self, shape, kind):
        source = noise(*shape)
        pixels = source if kind is np.uint8 else (source / 255).astype(kind)
        blob = encode_image(pixels)
        assert blob.media_type == "image/png"
        np.testing.assert_array_equal(values(blob), source)

    def test_every_step_survives_the_way_through_floats(self):
        steps = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
        np.testing.assert_array_equal(values(encode_image(steps / np.float32(255))), steps)

    @pytest.mark.parametrize(
        "pixels", [np.full((4, 4, 1), 0.2), np.full((4, 4), 0.2), np.full((4, 4, 1), 51, np.uint8)]
    )
    def test_gray_becomes_rgb(self, pixels):
        np.testing.assert_array_equal(values(encode_image(pixels)), np.full((4, 4, 3), 51))

    @pytest.mark.parametrize(
        ("value", "expected"), [(np.nan, 0), (np.inf, 255), (-np.inf, 0), (-3, 0), (1.5, 255), (0.5, 128), (65504, 255)]
    )
    def test_odd_values(self, value, expected):
        pixels = np.full((2, 2, 3), value, np.float32)
        assert (values(encode_image(pixels)) == expected).all()
        np.testing.assert_array_equal(pixels, np.full((2, 2, 3), value, np.float32))

    def test_a_view_turned_around(self):
        source = noise(8, 6)
        np.testing.assert_array_equal(values(encode_image(source[::-1, ::2])), source[::-1, ::2])

    @pytest.mark.parametrize(
        "pixels",
        [
            np.zeros((1, 4, 4, 3)),
            np.zeros((4, 4, 2)),
            np.zeros((4, 4, 5)),
            np.zeros((0, 4, 3)),
            np.zeros(4),
            np.zeros((4, 4, 3), np.int64),
            np.zeros((4, 4, 3), bool),
        ],
    )
    def test_no_picture(self, pixels):
        with pytest.raises(EncodeError):
            encode_image(pixels)


class TestAlpha:
    pixels = np.concatenate([np.zeros((8, 8, 3)), np.full((8, 8, 1), 0.5)], axis=2)

    @pytest.mark.parametrize("media_type", ["image/png", "image/webp"])
    def test_is_kept(self, media_type):
        picture = opened(encode_image(self.pixels, formats=(media_type,)))
        assert picture.mode == "RGBA"
        assert picture.getpixel((4, 4))[3] == 128

    def test_gets_a_white_ground_in_jpeg(self):
        picture = opened(encode_image(self.pixels, formats=("image/jpeg",)))
        assert picture.getpixel((4, 4)) == pytest.approx((127, 127, 127), abs=2)

    @pytest.mark.parametrize("media_type", ["image/png", "image/webp", "image/jpeg"])
    def test_goes_where_all_is_opaque(self, media_type):
        assert opened(encode_image(np.ones((8, 8, 4)), formats=(media_type,))).mode == "RGB"


class TestLimit:
    @pytest.mark.parametrize(
        ("side", "megabytes"), [(500, 0.5), pytest.param(2200, 10, marks=pytest.mark.slow, id="default limit")]
    )
    def test_noise_that_is_too_large_as_png(self, side, megabytes):
        limit = {"max_bytes": int(megabytes * 10**6)} if megabytes != 10 else {}
        pixels = noise(side, side)
        blob = encode_image(pixels, **limit)
        assert megabytes * 10**6 // 2 < len(blob) <= megabytes * 10**6
        assert opened(blob).size == (side, side)
        # Noise has its colours in each pixel, which WebP does not store.
        webp = encode_image(pixels, formats=("image/webp",), **limit)
        assert similarity(pixels, values(blob)) > similarity(pixels, values(webp))

    def test_exact_as_webp_where_a_png_is_too_large(self, scenery):
        pixels = scenery.photo(700, 450)
        png = encode_image(pixels)
        blob = encode_image(pixels, max_bytes=len(png) - 1)
        assert (png.media_type, blob.media_type) == ("image/png", "image/webp")
        np.testing.assert_array_equal(values(blob), values(png))

    def test_the_limit_lies_below_ten_million_bytes(self):
        """ "10 MB" may mean 10,000,000 bytes or 10 MiB: what lies between may be refused."""
        assert MAX_BYTES < 10_000_000

    @pytest.mark.parametrize("channels", [3, 4])
    def test_a_large_picture_is_not_given_to_an_encoder_that_needs_much_memory(self, monkeypatch, channels):
        """Lossless WebP, and WebP with alpha, take 20 bytes for each pixel, so only pictures that are small enough."""
        pixels = noise(150, 150, channels).repeat(2, 0).repeat(2, 1)
        monkeypatch.setattr(compress, "MOST_WEBP_PIXELS", 200 * 200)
        areas, save = list[int](), compress._save

        def watched(picture, kind, **options):
            if kind == "WEBP" and (options.get("lossless") or picture.mode == "RGBA"):
                areas.append(picture.width * picture.height)
            return save(picture, kind, **options)

        monkeypatch.setattr(compress, "_save", watched)
        png = len(encode_image(pixels, formats=("image/png",)))
        blob = encode_image(pixels, max_bytes=png * 3 // 4)
        assert len(opened(blob).getbands()) == channels
        assert all(area <= 200 * 200 for area in areas)

    def test_exact_webp_keeps_the_colours_of_what_is_transparent(self):
        pixels = noise(64, 64, 4)
        pixels[:32, :, 3] = 0
        blob = encode_image(pixels, formats=("image/webp",))
        np.testing.assert_array_equal(values(blob), pixels)

    @pytest.mark.parametrize(
        ("size", "kind", "bits"),
        [
            *(((500, 400), kind, bits) for kind in ("photo", "rendering") for bits in (6, 3, 1.2)),
            *(
                pytest.param((1500, 1100), kind, bits, marks=pytest.mark.slow)
                for kind, bits in (
                    ("photo", 6),
                    ("photo", 3),
                    ("photo", 1.2),
                    ("rendering", 6),
                    ("rendering", 3),
                    ("rendering", 1.2),
                )
            ),
        ],
    )
    def test_the_one_that_looks_better_is_taken(self, scenery, kind, size, bits):
        pixels = to_uint8(scenery.KINDS[kind](*size))
        limit = int(size[0] * size[1] * bits / 8)
        taken = similarity(pixels, values(encode_image(pixels, max_bytes=limit)))
        for formats in (("image/webp",), ("image/jpeg",)):
            other = opened(encode_image(pixels, max_bytes=limit, formats=formats))
            if other.size == size:
                # The sample may be a little off.
                assert taken >= similarity(pixels, np.asarray(other.convert("RGB"))) - 0.004

    def test_each_format_is_taken_somewhere(self, scenery):
        pixels = scenery.photo(500, 400)
        kinds = {encode_image(pixels, max_bytes=int(len(pixels) * 500 * bits / 8)).media_type for bits in (20, 6, 1.5)}
        assert kinds == {"image/png", "image/jpeg", "image/webp"}

    @pytest.mark.parametrize(
        ("size", "channels"),
        [
            pytest.param((16384, 1024), 4, marks=pytest.mark.slow),
            pytest.param((1024, 16384), 3, marks=pytest.mark.slow),
            ((20000, 10), 3),
            ((10, 20000), 4),
        ],
    )
    def test_very_long_sides(self, size, channels):
        pixels = noise(size[1] // 2, size[0] // 2, channels).repeat(2, 0).repeat(2, 1)
        blob = encode_image(pixels, max_bytes=3_000_000)
        assert len(blob) <= 3_000_000
        width, height = opened(blob).size
        assert width / height == pytest.approx(size[0] / size[1], rel=0.02)

    @pytest.mark.slow
    def test_a_photo_of_forty_megapixels(self, scenery):
        pixels = scenery.photo(7728, 5152)
        blob = encode_image(pixels)
        assert 5_000_000 < len(blob) < 10_000_000
        picture = opened(blob).convert("RGB")
        assert picture.size == (7728, 5152)
        middle = np.asarray(picture.crop((3000, 3000, 4000, 4000)))
        assert similarity(to_uint8(pixels[3000:4000, 3000:4000]), middle) > 0.9

    @pytest.mark.parametrize("limit", [100_000, 20_000, 5_000, 1_000, 300])
    @pytest.mark.parametrize("formats", [("image/png",), ("image/webp",), ("image/jpeg",), ("image/png", "image/jpeg")])
    @pytest.mark.parametrize("channels", [3, 4])
    def test_always_ends_below(self, limit, formats, channels):
        if limit == 300 and formats == ("image/jpeg",):
            pytest.skip("a JPEG of one pixel is larger")
        blob = encode_image(noise(211, 300, channels), max_bytes=limit, formats=formats)
        assert len(blob) <= limit
        assert blob.media_type in formats
        width, height = opened(blob).size
        assert width / height == pytest.approx(300 / 211, rel=0.2) or min(width, height) < 12

    def test_quality_goes_before_size(self):
        pixels = noise(300, 300)
        best = len(encode_image(pixels, formats=("image/jpeg",)))
        blob = encode_image(pixels, max_bytes=best - 1, formats=("image/jpeg",))
        assert opened(blob).size == (300, 300)
        assert 0.7 * best < len(blob) < best

    def test_a_side_too_long_for_webp(self):
        blob = encode_image(noise(4, 17_000), max_bytes=200_000)
        assert blob.media_type == "image/jpeg"
        assert opened(blob).size == (17_000, 4)

    @pytest.mark.parametrize(
        ("limit", "formats"), [(10, ("image/png",)), (0, ("image/jpeg",)), (10**6, ("image/gif",)), (10**6, ())]
    )
    def test_what_cannot_be_done(self, limit, formats):
        with pytest.raises(EncodeError):
            encode_image(noise(8, 8), max_bytes=limit, formats=formats)


def half_red_half_blue() -> Image.Image:
    picture = Image.new("RGB", (40, 20), RED)
    picture.paste(BLUE, (20, 0, 40, 20))
    return picture


def exif(orientation: int = 1) -> Image.Exif:
    data = Image.Exif()
    data[ORIENTATION], data[MAKER] = orientation, "Camera of a certain person"
    return data


class TestFiles:
    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    @pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA"])
    def test_own_bytes(self, tmp_path, kind, mode):
        if (kind, mode) in {("JPEG", "P"), ("JPEG", "RGBA")}:
            pytest.skip("JPEG has no such mode")
        path = tmp_path / "picture.bin"
        half_red_half_blue().convert(mode).save(path, format=kind)
        blob = read_image(path)
        assert blob.data == path.read_bytes()
        assert blob.media_type == f"image/{kind.lower()}"

    def test_own_bytes_with_a_profile_and_many_scans(self, tmp_path):
        path = tmp_path / "picture.jpg"
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        Image.fromarray(noise(200, 200)).save(path, progressive=True, icc_profile=profile, restart_marker_blocks=4)
        assert read_image(path).data == path.read_bytes()

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    @pytest.mark.parametrize("orientation", [1, 3, 6, 8])
    def test_exif_goes_and_turns_the_picture(self, tmp_path, kind, orientation):
        path = tmp_path / "picture.bin"
        options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "JPEG" else {}
        half_red_half_blue().save(path, format=kind, exif=exif(orientation), **options)
        blob = read_image(path)
        assert b"certain person" not in blob.data
        picture = opened(blob).convert("RGB")
        size, red, blue = {
            1: ((40, 20), (5, 10), (35, 10)),
            3: ((40, 20), (35, 10), (5, 10)),
            6: ((20, 40), (10, 5), (10, 35)),
            8: ((20, 40), (10, 35), (10, 5)),
        }[orientation]
        assert picture.size == size
        assert picture.getpixel(red) == pytest.approx(RED, abs=6)
        assert picture.getpixel(blue) == pytest.approx(BLUE, abs=6)

    def test_a_workflow_in_a_png_goes(self, tmp_path):
        path, texts = tmp_path / "picture.png", PngImagePlugin.PngInfo()
        texts.add_text("workflow", "all my secrets")
        half_red_half_blue().save(path, pnginfo=texts)
        blob = read_image(path)
        assert b"secrets" not in blob.data
        np.testing.assert_array_equal(values(blob), np.asarray(half_red_half_blue()))

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    def test_bytes_after_the_end_go(self, tmp_path, kind):
        path = tmp_path / "picture.bin"
        half_red_half_blue().save(path, format=kind)
        path.write_bytes(path.read_bytes() + b"a second file")
        assert b"a second file" not in read_image(path).data

    def test_comment_and_xmp_go(self, tmp_path):
        path = tmp_path / "picture.jpg"
        half_red_half_blue().save(path, comment=b"my address", xmp=b"<x:xmpmeta>me</x:xmpmeta>")
        data = read_image(path).data
        assert b"my address" not in data
        assert b"xmpmeta" not in data

    @pytest.mark.parametrize("kind", ["BMP", "GIF", "TIFF", "PPM", "TGA"])
    def test_other_kinds_become_png(self, tmp_path, kind):
        path = tmp_path / "picture.bin"
        half_red_half_blue().save(path, format=kind)
        blob = read_image(path)
        assert blob.media_type == "image/png"
        np.testing.assert_array_equal(values(blob), np.asarray(half_red_half_blue()))

    @pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
    def test_an_animation_gives_its_first_picture(self, tmp_path, kind):
        path = tmp_path / "picture.bin"
        first, second = Image.new("RGB", (8, 8), RED), Image.new("RGB", (8, 8), BLUE)
        first.save(
            path, format=kind, save_all=True, append_images=[second], **({"lossless": True} if kind == "WEBP" else {})
        )
        picture = opened(read_image(path))
        assert getattr(picture, "n_frames", 1) == 1
        assert picture.convert("RGB").getpixel((4, 4)) == RED

    def test_sixteen_bits_are_scaled(self, tmp_path):
        path = tmp_path / "deep.png"
        Image.fromarray(np.full((4, 4), 32896, np.uint16)).save(path)
        assert (values(read_image(path)) == 128).all()

    def test_cmyk_becomes_rgb(self, tmp_path):
        path = tmp_path / "print.jpg"
        Image.new("CMYK", (8, 8), (0, 0, 0, 0)).save(path)
        assert opened(read_image(path)).mode == "RGB"

    def test_another_colour_space_becomes_srgb(self, tmp_path):
        path = tmp_path / "lab.tif"
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        half_red_half_blue().save(path, icc_profile=profile)
        assert values(read_image(path))[10, 5] == pytest.approx(RED, abs=2)

    def test_a_broken_profile_is_ignored(self, tmp_path):
        path = tmp_path / "picture.tif"
        half_red_half_blue().save(path, icc_profile=b"no profile at all")
        np.testing.assert_array_equal(values(read_image(path)), np.asarray(half_red_half_blue()))

    def test_too_large_or_unwanted_is_encoded_anew(self, tmp_path):
        path = tmp_path / "picture.png"
        Image.fromarray(noise(100, 100)).save(path)
        assert len(read_image(path, max_bytes=5000)) <= 5000
        assert read_image(path, formats=("image/jpeg",)).media_type == "image/jpeg"

    @pytest.mark.parametrize(
        "data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"%!PS-Adobe-3.0 EPSF-3.0\n"]
    )
    def test_no_picture(self, tmp_path, data):
        path = tmp_path / "picture.png"
        path.write_bytes(data)
        with pytest.raises(EncodeError, match=r"picture\.png cannot be read as an image"):
            read_image(path)

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    def test_cut_off(self, tmp_path, kind):
        path = tmp_path / "picture.bin"
        Image.fromarray(noise(64, 64)).save(path, format=kind)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(EncodeError):
            read_image(path)

    @pytest.mark.parametrize(
        ("mode", "kind", "options"), [("1", "PNG", {}), ("L", "GIF", {}), ("1", "TIFF", {"compression": "group4"})]
    )
    def test_a_small_file_of_a_huge_picture_is_not_decoded(self, tmp_path, monkeypatch, mode, kind, options):
        path = tmp_path / "huge.png"
        Image.new(mode, (9600, 9400)).save(path, format=kind, **options)
        assert path.stat().st_size < 2_000_000
        loaded: list[object] = []
        for reader in (ImageFile.ImageFile, TiffImagePlugin.TiffImageFile):  # TIFF has a load of its own
            monkeypatch.setattr(reader, "load", lambda picture: loaded.append(picture))
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)  # as other node packs set it
        with pytest.raises(EncodeError, match=r"huge\.png is 9600 × 9400 pixels; use at most 89 million"):
            read_image(path)
        assert loaded == []

    def test_no_file(self, tmp_path):
        for path in (tmp_path / "nothing.png", tmp_path):
            with pytest.raises(EncodeError, match="cannot be read"):
                read_image(path)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", None),
        (b"GIF89a", None),
        (b"RIFF\0\0\0\0WAVE", None),
        (b"\0\0\0\x18ftypisom", "video/mp4"),
        (b"\0\0\0\x18ftypmp42", "video/mp4"),
        (b"\0\0\0\x18ftypM4V ", "video/mp4"),
        (b"\0\0\0\x18ftypavif", None),
        (b"\0\0\0\x18ftypheic", None),
        (b"\0\0\0\x18ftypM4A ", None),
        (b"\0\0\0\x18ftypqt  ", None),
    ],
)
def test_sniff(data, expected):
    assert sniff(data) == expected


def test_sniff_a_real_film(film):
    assert sniff(film().read_bytes()) == "video/mp4"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_no_cut_of_a_file_is_bare(kind):
    buffer = io.BytesIO()
    Image.fromarray(noise(8, 8)).save(buffer, format=kind)
    data = buffer.getvalue()
    assert is_bare(data)
    assert not any(is_bare(data[:end]) for end in range(len(data)))
