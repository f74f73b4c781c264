"""The rules that are checked before any money moves: one row each, all of them reported at once, bounds that pass."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from grok_imagine.errors import RequestError, UnsupportedOption, Violation
from grok_imagine.models import Blob, Mode, VideoRequest
from grok_imagine.providers import PROVIDERS, provider

URL = "https://images.example.com/{}.jpg"
VIDEO = "https://videos.example.com/source.mp4"
MB, MIB = 10**6, 1024**2
RATIOS = ("1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3")


def images(count: int) -> tuple[str, ...]:
    return tuple(URL.format(number) for number in range(1, count + 1))


def png(size: int, media_type: str = "image/png") -> Blob:
    return Blob(bytes(size), media_type)


def text(**more: Any) -> dict[str, Any]:
    return {"prompt": "a boat", **more}


def from_images(count: int = 1, **more: Any) -> dict[str, Any]:
    return {"prompt": "a boat", "reference_images": images(count), **more}


def edit(**more: Any) -> dict[str, Any]:
    return {"mode": Mode.EDIT, "prompt": "a boat", "source_video": VIDEO, "source_seconds": 8.0, **more}


def extend(**more: Any) -> dict[str, Any]:
    base = {"mode": Mode.EXTEND, "prompt": "a boat", "source_video": VIDEO, "source_seconds": 8.0}
    return {**base, "duration_seconds": 6, **more}


def reference(count: int = 2, **more: Any) -> dict[str, Any]:
    return {**from_images(count), "mode": Mode.REFERENCE, "duration_seconds": 6, **more}


def faults(name: str, fields: dict[str, Any]) -> list[Violation]:
    try:
        provider(name).read(fields)
    except RequestError as error:
        return list(error.violations) or [Violation("none", "", "refused without a reason")]
    return []


def warnings(name: str, fields: dict[str, Any]) -> list[str]:
    return [violation.rule for violation in provider(name).read(fields)[1].warnings]


G = "openai_videos"
BROKEN: list[tuple[str, str, str, dict[str, Any]]] = [
    # C: what all dialects share. C1 and C2, key and base URL, are checked where settings are read.
    ("C3", "reapi", "R2", text(prompt=" \n\t\u3000")),
    ("C4 counts UTF-16 units", "reapi", "R3", text(prompt="\U0001f600" * 2001)),
    ("C5 data", "reapi", "C5", text(reference_images=("data:image/png;base64,AAAA",))),
    ("C5 file", "aivideoapi", "C5", text(reference_images=("file:///etc/passwd",))),
    ("C5 blob", "apiinone", "C5", text(reference_images=("blob:https://a.example/1",))),
    ("C5 ftp", "reapi", "C5", text(reference_images=("ftp://a.example.com/1.png",))),
    ("C5 relative", "reapi", "C5", text(reference_images=("/1.png",))),
    ("C5 no host", "reapi", "C5", text(reference_images=("https:///1.png",))),
    ("C5 white space", "reapi", "C5", text(reference_images=("https://a.example.com/1 2.png",))),
    ("C5 userinfo", "reapi", "C5", text(reference_images=("https://me:pw@a.example.com/1.png",))),
    ("C5 loopback", "reapi", "C5", text(reference_images=("http://127.0.0.1:8188/view",))),
    ("C5 private", "reapi", "C5", text(reference_images=("http://192.168.1.4/1.png",))),
    ("C5 link-local", "reapi", "C5", text(reference_images=("http://169.254.169.254/latest",))),
    ("C5 .local", "reapi", "C5", text(reference_images=("http://nas.local/1.png",))),
    ("C5 video", G, "C5", edit(source_video="file:///source.mp4")),
    ("C5 data at the gateway", G, "C5", edit(source_video="data:video/mp4;base64,AAAA")),
    ("C5 odd data at xAI", "xai", "C5", text(reference_images=("data:text/html;base64,AAAA",))),
    ("C5 broken data at xAI", "xai", "C5", text(reference_images=("data:image/png,AAAA",))),
    ("C6 one string", "reapi", "C6", text(reference_images="https://a.example.com/1.png")),
    ("C6 no URL", "reapi", "C6", text(reference_images=[7])),
    ("C6 empty entry", "reapi", "C6", text(reference_images=["https://a.example.com/1.png", ""])),
    ("C7 none", "aivideoapi", "C7", text(prompt="@image1 walks")),
    ("C7 zero", "aivideoapi", "C7", from_images(2, prompt="@image0 walks")),
    ("C7 above", "aivideoapi", "C7", from_images(2, prompt="@Image3 walks")),
    ("C7 far above", "aivideoapi", "C7", from_images(7, prompt="@image99999999999999999999 walks")),
    ("C7 @image10 is not @image1", "aivideoapi", "C7", from_images(1, prompt="@image10 walks")),
    ("C7 at the gateway", G, "C7", reference(2, prompt="@image3 walks")),
    ("C7 at xAI", "xai", "C7", reference(2, prompt="@image3 walks")),
    ("C8 unknown field", "reapi", "C8", text(callback_url="https://a.example.com")),
    ("C8 motion mode at the gateway", G, "C8", text(duration_seconds=6, motion_mode="fun")),
    ("C8 motion mode at xAI", "xai", "C8", text(motion_mode="fun")),
    ("C9 edit at reAPI", "reapi", "C9", edit()),
    ("C9 extend at AI Video API", "aivideoapi", "C9", extend()),
    ("C9 reference at API in One", "apiinone", "C9", reference()),
    ("C9 no such mode", "reapi", "C9", text(mode="remix")),
    ("C9 edit or extend", G, "C9", text(source_video=VIDEO)),
    # R: reAPI
    ("R1", "reapi", "R1", text(model="grok-imagine-video-1.5-beta")),
    ("R1 letter case", "reapi", "R1", text(model="Grok-Imagine-1.0-Video")),
    ("R2", "reapi", "R2", text(prompt="")),
    ("R3", "reapi", "R3", text(prompt="x" * 4001)),
    ("R3 with images", "reapi", "R3", from_images(1, prompt="x" * 4001)),
    ("R4", "reapi", "R4", text(aspect_ratio="4:3")),
    ("R4 pixels", "reapi", "R4", text(aspect_ratio="1280x720")),
    ("R5 short", "reapi", "R5", text(duration_seconds=5)),
    ("R5 long", "reapi", "R5", text(duration_seconds=31)),
    ("R5 text", "reapi", "R5", text(duration_seconds="6")),
    ("R5 float", "reapi", "R5", text(duration_seconds=6.0)),
    ("R5 bool", "reapi", "R5", text(duration_seconds=True)),
    ("R6", "reapi", "R6", text(resolution="1080p")),
    ("R6 letter case", "reapi", "R6", text(resolution="720P")),
    ("R7", "reapi", "R7", from_images(8)),
    ("R8 file", "reapi", "R8", text(reference_images=(png(9, "image/gif"),))),
    ("R10 motion mode", "reapi", "R10", text(motion_mode="normal")),
    ("R10 video", "reapi", "R10", text(source_video=VIDEO)),
    # A: AI Video API
    ("A1 images with the text id", "aivideoapi", "A1", from_images(1, mode=Mode.TEXT)),
    ("A1 no image with the image id", "aivideoapi", "A1", text(mode=Mode.IMAGE)),
    ("A1 eight", "aivideoapi", "A1", from_images(8)),
    ("A1 the text id with images", "aivideoapi", "A1", from_images(1, model="grok-imagine-text-to-video")),
    ("A1 the image id without", "aivideoapi", "A1", text(model="grok-imagine-image-to-video")),
    ("A2 blank", "aivideoapi", "A2", text(prompt="  ")),
    ("A2 long", "aivideoapi", "A2", text(prompt="x" * 5001)),
    ("A2 long with images", "aivideoapi", "A2", from_images(1, prompt="x" * 5001)),
    ("A3 short", "aivideoapi", "A3", text(duration_seconds=5)),
    ("A3 long", "aivideoapi", "A3", text(duration_seconds=31)),
    ("A3 text", "aivideoapi", "A3", text(duration_seconds="6")),
    ("A4", "aivideoapi", "A4", text(resolution="1080p")),
    ("A5", "aivideoapi", "A5", text(motion_mode="wild")),
    ("A5 letter case", "aivideoapi", "A5", text(motion_mode="Spicy")),
    ("A5 spicy with images", "aivideoapi", "A5", from_images(1, motion_mode="spicy")),
    ("A6", "aivideoapi", "A6", text(aspect_ratio="4:3")),
    ("A6 with several images", "aivideoapi", "A6", from_images(2, aspect_ratio="4:3")),
    ("A7 type", "aivideoapi", "A7", text(reference_images=(png(9, "image/gif"),))),
    ("A7 size", "aivideoapi", "A7", text(reference_images=(png(10 * MIB + 1),))),
    # P: API in One
    ("P1", "apiinone", "P1", text(model="grok-video")),
    ("P1 of the other mode", "apiinone", "P1", text(model="grok-imagine/image-to-video")),
    ("P2 blank", "apiinone", "P2", text(prompt=" ")),
    ("P2 long", "apiinone", "P2", text(prompt="x" * 5001)),
    ("P2 long with images", "apiinone", "P2", from_images(1, prompt="x" * 5001)),
    ("P3 text with images", "apiinone", "P3", from_images(1, mode=Mode.TEXT)),
    ("P3 none", "apiinone", "P3", text(mode=Mode.IMAGE)),
    ("P3 eight", "apiinone", "P3", from_images(8)),
    ("P5 duration", "apiinone", "P5", text(duration_seconds=6)),
    ("P5 ratio", "apiinone", "P5", text(aspect_ratio="16:9")),
    ("P5 resolution", "apiinone", "P5", text(resolution="480p")),
    ("P5 motion mode", "apiinone", "P5", text(motion_mode="fun")),
    ("P5 video", "apiinone", "P5", text(source_video=VIDEO)),
    # U: the gateway
    ("U1", G, "U1", text(duration_seconds=6, model="grok-imagine-video")),
    ("U2 text", G, "U2", text(duration_seconds=6, prompt="")),
    ("U2 image", G, "U2", from_images(1, duration_seconds=6, prompt=" ")),
    ("U2 reference", G, "U2", reference(prompt=" ")),
    ("U2 edit", G, "U2", edit(prompt=" ")),
    ("U2 extend", G, "U2", extend(prompt=" ")),
    ("U3 text without", G, "U3", text()),
    ("U3 image without", G, "U3", from_images(1)),
    ("U3 reference without", G, "U3", reference(duration_seconds=None)),
    ("U3 extend without", G, "U3", extend(duration_seconds=None)),
    ("U3 edit with", G, "U3", edit(duration_seconds=6)),
    ("U4 text 0", G, "U4", text(duration_seconds=0)),
    ("U4 text 16", G, "U4", text(duration_seconds=16)),
    ("U4 image 16", G, "U4", from_images(1, duration_seconds=16)),
    ("U4 reference 11", G, "U4", reference(duration_seconds=11)),
    ("U4 extend 1", G, "U4", extend(duration_seconds=1)),
    ("U4 extend 11", G, "U4", extend(duration_seconds=11)),
    ("U5 text", G, "U5", text(duration_seconds="6")),
    ("U5 float", G, "U5", text(duration_seconds=6.0)),
    ("U6 images into edit", G, "U6", edit(reference_images=images(1))),
    ("U6 images into extend", G, "U6", extend(reference_images=images(1))),
    ("U6 video into text", G, "U6", text(mode=Mode.TEXT, duration_seconds=6, source_video=VIDEO)),
    ("U6 two into image", G, "U6", from_images(2, mode=Mode.IMAGE, duration_seconds=6)),
    ("U6 edit without video", G, "U6", edit(source_video=None)),
    ("U9", G, "U9", text(duration_seconds=6, resolution="1080p")),
    ("U9 pixels", G, "U9", text(duration_seconds=6, resolution="1280x720")),
    ("U9 extend", G, "U9", extend(resolution="480p")),
    ("U10 text", G, "U10", text(duration_seconds=6, aspect_ratio="4:3")),
    ("U10 image", G, "U10", from_images(1, duration_seconds=6, aspect_ratio="16:9")),
    ("U10 reference", G, "U10", reference(aspect_ratio="21:9")),
    ("U10 edit", G, "U10", edit(aspect_ratio="16:9")),
    ("U10 extend", G, "U10", extend(aspect_ratio="16:9")),
    ("U11 zero", G, "U11", edit(source_seconds=0.0)),
    ("U11 negative", G, "U11", extend(source_seconds=-1.0)),
    ("U11 infinite", G, "U11", edit(source_seconds=math.inf)),
    ("U11 nan", G, "U11", edit(source_seconds=math.nan)),
    ("U12 image without", G, "U12", text(mode=Mode.IMAGE, duration_seconds=6)),
    ("U12 reference without", G, "U12", reference(0)),
    ("U14", G, "U14", reference(8)),
    # X: xAI
    ("X1", "xai", "X1", text(model="grok-2")),
    ("X1 edit with 1.5", "xai", "X1", edit(model="grok-imagine-video-1.5")),
    ("X1 extend with 1.5", "xai", "X1", extend(model="grok-imagine-video-1.5")),
    ("X2 text", "xai", "X2", text(prompt=" ")),
    ("X2 reference", "xai", "X2", reference(prompt=" ")),
    ("X2 edit", "xai", "X2", edit(prompt=" ")),
    ("X3", "xai", "X3", text(prompt="x" * 4097)),
    ("X3 counts the tags", "xai", "X3", reference(prompt="@image1 " + "x" * 4087)),
    ("X4 text", "xai", "X4", text(duration_seconds=16)),
    ("X4 zero", "xai", "X4", text(duration_seconds=0)),
    ("X4 reference", "xai", "X4", reference(duration_seconds=11)),
    ("X4 extend", "xai", "X4", extend(duration_seconds=11)),
    ("X4 edit", "xai", "X4", edit(duration_seconds=6)),
    ("X5 1080p without 1.5", "xai", "X5", text(resolution="1080p")),
    ("X5 1080p from references", "xai", "X5", reference(model="grok-imagine-video-1.5", resolution="1080p")),
    ("X5 edit", "xai", "X5", edit(resolution="480p")),
    ("X6", "xai", "X6", text(aspect_ratio="21:9")),
    ("X6 extend", "xai", "X6", extend(aspect_ratio="16:9")),
    ("X7 two", "xai", "X7", from_images(2, mode=Mode.IMAGE)),
    ("X7 eight", "xai", "X7", reference(8)),
    ("X8 edit", "xai", "X8", edit(source_seconds=8.8)),
    ("X8 extend short", "xai", "X8", extend(source_seconds=1.9)),
    ("X8 extend long", "xai", "X8", extend(source_seconds=15.1)),
    ("X8 none", "xai", "X8", extend(source_video=None)),
    ("X8 no video", "xai", "X8", extend(source_video=png(9))),
]


@pytest.mark.parametrize(("name", "rule", "fields"), [pytest.param(*row[1:], id=row[0]) for row in BROKEN])
def test_breaks(name: str, rule: str, fields: dict[str, Any]) -> None:
    found = faults(name, fields)
    assert [violation.rule for violation in found] == [rule], found
    assert found[0].message
    assert found[0].field in {*VideoRequest.model_fields, "callback_url"}


HELD: list[tuple[str, str, dict[str, Any]]] = [
    *[(f"R4 {ratio}", "reapi", text(aspect_ratio=ratio)) for ratio in ("16:9", "9:16", "1:1", "3:2", "2:3")],
    ("R3 at the limit", "reapi", text(prompt="x" * 4000)),
    ("C4 at the limit", "reapi", text(prompt="\U0001f600" * 2000)),
    ("R5 6", "reapi", text(duration_seconds=6)),
    ("R5 30", "reapi", text(duration_seconds=30)),
    ("R6 480p", "reapi", text(resolution="480p")),
    ("R6 720p", "reapi", text(resolution="720p")),
    ("R7 1", "reapi", from_images(1)),
    ("R7 7", "reapi", from_images(7)),
    ("R2 not with images", "reapi", from_images(1, prompt="")),
    ("R8 any size", "reapi", text(reference_images=(png(11 * MIB),))),
    ("C6 a list", "reapi", text(reference_images=list(images(2)))),
    ("C6 the same one twice", "reapi", text(reference_images=[URL.format(1), URL.format(1)])),
    ("C7 adjacent", "aivideoapi", from_images(2, prompt="@image1@image2")),
    ("C7 no token", "aivideoapi", text(prompt="mail me@image9 or image9 or @imagery or @image9th")),
    ("a mode by its name", "reapi", text(mode="text_to_video")),
    ("None is left out", "reapi", text(resolution=None, model=None, source_video=None)),
    ("A1 7", "aivideoapi", from_images(7)),
    ("A2 at the limit", "aivideoapi", text(prompt="x" * 5000)),
    ("A2 not with images", "aivideoapi", from_images(1, prompt="")),
    ("A3 6", "aivideoapi", text(duration_seconds=6)),
    ("A3 30", "aivideoapi", text(duration_seconds=30)),
    *[(f"A5 {mode}", "aivideoapi", text(motion_mode=mode)) for mode in ("fun", "normal", "spicy")],
    *[(f"A5 {mode} with images", "aivideoapi", from_images(1, motion_mode=mode)) for mode in ("fun", "normal")],
    ("A6 with several images", "aivideoapi", from_images(2, aspect_ratio="16:9")),
    ("A7 jpeg", "aivideoapi", text(reference_images=(png(9, "image/jpeg"), png(9, "image/webp")))),
    ("A7 below 10 MB", "aivideoapi", text(reference_images=(png(10 * MB - 1),))),
    ("P1", "apiinone", text(model="grok-imagine/text-to-video")),
    ("P2 at the limit", "apiinone", text(prompt="x" * 5000)),
    ("P2 not with images", "apiinone", from_images(1, prompt="")),
    ("P3 7", "apiinone", from_images(7)),
    *[(f"U4 text {seconds}", G, text(duration_seconds=seconds)) for seconds in (1, 15)],
    *[(f"U4 image {seconds}", G, from_images(1, duration_seconds=seconds)) for seconds in (1, 15)],
    *[(f"U4 reference {seconds}", G, reference(duration_seconds=seconds)) for seconds in (1, 10)],
    *[(f"U4 extend {seconds}", G, extend(duration_seconds=seconds)) for seconds in (2, 10)],
    ("U3 edit", G, edit()),
    ("U8 one reference", G, reference(1)),
    *[(f"U10 text {ratio}", G, text(duration_seconds=6, aspect_ratio=ratio)) for ratio in ("16:9", "1:1", "9:16")],
    ("U10 image auto", G, from_images(1, duration_seconds=6, aspect_ratio="auto")),
    *[(f"U10 reference {ratio}", G, reference(aspect_ratio=ratio)) for ratio in RATIOS],
    ("U11 edit", G, edit(source_seconds=8.7)),
    ("U11 extend 2", G, extend(source_seconds=2.0)),
    ("U11 extend 15", G, extend(source_seconds=15)),
    ("U14 7", G, reference(7)),
    ("X4 1", "xai", text(duration_seconds=1)),
    ("X4 15", "xai", text(duration_seconds=15)),
    ("X2 not with an image", "xai", from_images(1, prompt="")),
    ("X3 at the limit", "xai", text(prompt="x" * 4096)),
    ("X5 1080p", "xai", text(model="grok-imagine-video-1.5", resolution="1080p")),
    ("X5 1080p from an image", "xai", from_images(1, model="grok-imagine-video-1.5", resolution="1080p")),
    *[(f"X6 {ratio}", "xai", text(aspect_ratio=ratio)) for ratio in RATIOS],
    ("X7 7", "xai", reference(7)),
    ("X7 a data URI", "xai", text(reference_images=("data:image/png;base64,iVBORw0KGgo=",))),
    ("X8 edit", "xai", edit(source_seconds=8.7)),
    ("X8 extend", "xai", extend(source_seconds=15.0)),
    ("X8 length unknown", "xai", edit(source_seconds=None)),
    ("X8 a blob", "xai", edit(source_video=png(9, "video/mp4"))),
]


@pytest.mark.parametrize(("name", "fields"), [pytest.param(*row[1:], id=row[0]) for row in HELD])
def test_holds(name: str, fields: dict[str, Any]) -> None:
    assert faults(name, fields) == []
    assert warnings(name, fields) == []


WARNED: list[tuple[str, str, str, dict[str, Any]]] = [
    ("C7 where tokens mean nothing", "reapi", "C7", text(prompt="@image1 walks")),
    ("C7 above, where they mean nothing", "apiinone", "C7", from_images(1, prompt="@image2 walks")),
    ("C7 text at the gateway", G, "C7", text(prompt="@image1 walks", duration_seconds=6)),
    ("R9", "reapi", "R9", from_images(1, aspect_ratio="9:16")),
    ("R9 with 7", "reapi", "R9", from_images(7, aspect_ratio="9:16")),
    ("A6 with one image", "aivideoapi", "A6", from_images(1, aspect_ratio="9:16")),
    ("A7 10 MB", "aivideoapi", "A7", text(reference_images=(png(10 * MB),))),
    ("A7 10 MiB", "aivideoapi", "A7", text(reference_images=(png(10 * MIB),))),
    ("U11 unknown", G, "U11", edit(source_seconds=None)),
    ("U11 edit long", G, "U11", edit(source_seconds=8.8)),
    ("U11 extend short", G, "U11", extend(source_seconds=1.9)),
    ("U11 extend long", G, "U11", extend(source_seconds=15.1)),
]


@pytest.mark.parametrize(("name", "rule", "fields"), [pytest.param(*row[1:], id=row[0]) for row in WARNED])
def test_warns(name: str, rule: str, fields: dict[str, Any]) -> None:
    assert faults(name, fields) == []
    assert warnings(name, fields) == [rule]


EVERYTHING_WRONG: list[tuple[str, dict[str, Any], set[str]]] = [
    (
        "reapi",
        {
            "model": "other",
            "prompt": "x" * 4001,
            "resolution": "1080p",
            "duration_seconds": 31,
            "motion_mode": "spicy",
            "reference_images": (*images(7), "data:image/png;base64,AA"),
            "source_video": "x",
        },
        {"R1", "R3", "R6", "R5", "R10", "R7", "C5"},
    ),
    (
        "aivideoapi",
        {
            "prompt": "@image9" + "x" * 5000,
            "resolution": "8k",
            "duration_seconds": 5,
            "motion_mode": "spicy",
            "aspect_ratio": "4:3",
            "model": "m",
            "reference_images": (png(11 * MIB), png(9, "image/gif")),
        },
        {"A1", "A2", "A3", "A4", "A5", "A6", "A7"},
    ),
    (
        "apiinone",
        {
            "model": "m",
            "prompt": " ",
            "resolution": "8k",
            "duration_seconds": 5,
            "aspect_ratio": "4:3",
            "motion_mode": "fun",
        },
        {"P1", "P2", "P5"},
    ),
    (
        G,
        {
            "mode": Mode.EXTEND,
            "model": "m",
            "prompt": "",
            "resolution": "720p",
            "aspect_ratio": "1:1",
            "duration_seconds": 11,
            "reference_images": images(1),
            "source_seconds": 0.0,
        },
        {"U1", "U2", "U4", "U6", "U9", "U10", "U11"},
    ),
    (
        "xai",
        {
            "mode": Mode.REFERENCE,
            "model": "m",
            "prompt": "",
            "resolution": "1080p",
            "aspect_ratio": "5:4",
            "duration_seconds": 15,
            "reference_images": images(8),
            "source_video": VIDEO,
            "motion_mode": "fun",
        },
        {"X1", "X2", "X4", "X5", "X6", "X7", "X8", "C8"},
    ),
]


@pytest.mark.parametrize(("name", "fields", "rules"), EVERYTHING_WRONG, ids=[row[0] for row in EVERYTHING_WRONG])
def test_names_all_that_is_wrong_at_once(name: str, fields: dict[str, Any], rules: set[str]) -> None:
    assert {violation.rule for violation in faults(name, fields)} == rules


def test_wrong_types_are_named_with_all_the_rest() -> None:
    wrong = {"prompt": 5, "duration_seconds": "6", "resolution": 720, "aspect_ratio": "4:3", "bogus": 1, "seed": 1.5}
    found = {violation.field: violation for violation in faults("reapi", wrong)}
    assert {field: violation.rule for field, violation in found.items()} == {
        "prompt": "R3",
        "duration_seconds": "R5",
        "resolution": "R6",
        "aspect_ratio": "R4",
        "bogus": "C8",
        "seed": "C8",
    }
    assert found["duration_seconds"].message == "must be a valid integer, got str"
    assert "bogus" not in found["bogus"].message
    assert "duration_seconds" in found["bogus"].message


def test_the_message_tells_what_to_do() -> None:
    with pytest.raises(RequestError) as caught:
        provider("reapi").check(VideoRequest(prompt="", duration_seconds=31))
    said = str(caught.value)
    assert "2 problems" in said
    assert "nothing was sent or charged" in said
    assert "must be 6 to 30 whole seconds, got 31" in said
    assert "describe the video" in said
    assert not re.search(r"\b[A-Z]\d+\b", said), "no ids of the contract's rules in texts for users"


def test_spicy_with_images_says_why() -> None:
    [found] = faults("aivideoapi", from_images(1, motion_mode="spicy"))
    assert "choose fun, normal" in found.message
    assert "never with images" in found.message


@pytest.mark.parametrize("name", list(PROVIDERS))
def test_a_wish_for_another_mode_is_never_downgraded(name: str) -> None:
    dialect = provider(name)
    offered = {capability.mode for capability in dialect.capabilities}
    for mode in set(Mode) - offered:
        request = VideoRequest(mode=mode, prompt="x", source_video=VIDEO, reference_images=images(1))
        for refused in (dialect.check, dialect.capability):
            with pytest.raises(UnsupportedOption) as caught:
                refused(request)
            assert [violation.rule for violation in caught.value.violations] == ["C9"]


def test_private_urls_pass_only_when_asked_for() -> None:
    request = VideoRequest(prompt="x", reference_images=("http://127.0.0.1:9000/1.png",))
    assert provider("reapi").check(request, allow_private_urls=True).warnings == ()
    with pytest.raises(RequestError):
        provider("reapi").check(request)


@pytest.mark.parametrize(
    ("name", "count", "mode"),
    [
        *[("reapi", count, Mode.IMAGE if count else Mode.TEXT) for count in (0, 1, 7, 8)],
        *[("aivideoapi", count, Mode.IMAGE if count else Mode.TEXT) for count in (0, 1, 7, 8)],
        *[("apiinone", count, Mode.IMAGE if count else Mode.TEXT) for count in (0, 1, 7, 8)],
        *[(G, 0, Mode.TEXT), (G, 1, Mode.IMAGE), (G, 2, Mode.REFERENCE), (G, 8, Mode.REFERENCE)],
        *[("xai", 0, Mode.TEXT), ("xai", 1, Mode.IMAGE), ("xai", 2, Mode.REFERENCE), ("xai", 8, Mode.REFERENCE)],
    ],
)
def test_the_inputs_choose_the_mode(name: str, count: int, mode: Mode) -> None:
    assert provider(name).capability(VideoRequest(prompt="x", reference_images=images(count))).mode is mode


def test_a_blob_counts_as_an_image() -> None:
    request = VideoRequest(prompt="@image1 and @image2", reference_images=(png(9), URL.format(2)))
    assert provider("aivideoapi").check(request).capability.mode is Mode.IMAGE
