"""The page's pure logic, run by Node's own test runner, against cases that the engine itself answers."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grok_imagine.batch import rows
from grok_imagine.errors import RequestError
from grok_imagine.models import Mode, VideoRequest
from grok_imagine.providers import PROVIDERS, Provider, image_tokens
from grok_imagine.providers.describe import describe

ROOT = Path(__file__).resolve().parents[2]
UNITS = sorted((ROOT / "tests" / "web" / "unit").glob("*.test.mjs"))
PROMPTS = (
    "a kite",
    "@image1 and @Image2, not me@image3.org",
    "@image1@image2",
    "@image03 @image0 @IMAGE1",
    "红色的@image1在飞",
    "@image1x @image12",
    "@@image1 _@image2 (@image3)",
)
LISTS = (
    "a kite\n\n  a boat  ",
    '{"prompt": "x", "seconds": 8}\nplain\n{"prompt": "y", "image": "https://e.com/1.png", "connection": "xai"}',
    'prompt,duration,images\n"a, b",12,https://e.com/1.png|https://e.com/2.png\nplain,,\n',
    '  Prompt , resolution\n"says ""hi""\nand goes", 720p\n',
)
NODES = ((Mode.TEXT,), (Mode.IMAGE, Mode.REFERENCE))
PLAIN = {"prompt": "a kite", "resolution": "auto", "aspect_ratio": "auto", "duration": 6, "motion_mode": "auto"}
CHANGES: tuple[dict[str, Any], ...] = (
    {},
    {"prompt": " "},
    {"prompt": "𝄞" * 2100},
    {"prompt": "@image1 and @image9"},
    {"resolution": "1080p", "duration": 12},
    *({"duration": seconds} for seconds in (0, 1, 16, 31)),
    *({"motion_mode": motion} for motion in ("fun", "spicy")),
    *({"aspect_ratio": ratio} for ratio in ("4:3", "2:3", "21:9")),
)


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_unit(path: Path, cases: Path) -> None:
    command = ["node", "--test", "--test-reporter=spec", str(path)]
    environment = {**os.environ, "CASES": str(cases)}
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="session")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the engine says: prices, verdicts on wishes, tokens; and the data that the page is given."""
    path = tmp_path_factory.mktemp("cases") / "cases.json"
    found = {
        "dialects": {name: describe(provider) for name, provider in PROVIDERS.items()},
        "prices": list(_prices()),
        "wishes": list(_wishes()),
        "rows": [{"text": text, "rows": _rows(text)} for text in LISTS],
        "tokens": [{"prompt": prompt, "tokens": list(dict(image_tokens.find(prompt)).items())} for prompt in PROMPTS],
    }
    path.write_text(json.dumps(found), "utf-8")
    return path


def _rows(text: str) -> list[dict[str, Any]]:
    """The rows as the engine reads them, as far as a price depends on them."""
    is_csv = "prompt" in [one.strip() for one in text.lstrip().split("\n", 1)[0].lower().split(",")]
    read = rows.read_csv(text.lstrip()) if is_csv and "\n" in text.strip() else rows.read_lines(text.splitlines())
    named = [rows.normalize_row(row, {}) for row in read]
    return [
        {
            "prompt": row["prompt"],
            "duration": row.get("duration_seconds"),
            "resolution": row.get("resolution"),
            "connection": row.get("connection"),
            "images": len(row.get("reference_images") or ()),
        }
        for row in named
    ]


def _prices() -> Iterator[dict[str, Any]]:
    for name, provider in PROVIDERS.items():
        for index, capability in enumerate(provider.capabilities):
            for resolution, seconds in itertools.product((None, *capability.resolutions), (None, *range(1, 31))):
                request = VideoRequest(resolution=resolution, duration_seconds=seconds)
                cost = provider.estimate(request, capability)
                said = None
                if cost is not None:
                    words = str(cost).removeprefix("about ")
                    said = {"credits": f"{cost.credits:f}", "usd": f"{cost.usd:f}", "words": words}
                yield {"dialect": name, "index": index, "resolution": resolution, "seconds": seconds, "cost": said}


def _wishes() -> Iterator[dict[str, Any]]:
    for (name, provider), modes in itertools.product(PROVIDERS.items(), NODES):
        every = [one.model for one in provider.capabilities if one.mode in modes]
        models = ["auto", *dict.fromkeys(every), "grok-imagine-unheard-of"]
        has_images = Mode.IMAGE in modes
        stated = ("auto", *(mode.value for mode in modes)) if has_images else ("auto",)
        for model, mode, images in itertools.product(models, stated, (0, 1, 2, 8) if has_images else (0,)):
            for changes in CHANGES:
                wish = {"model": model, "mode": mode, "images": images, "isExact": True, **PLAIN, **changes}
                verdict = _judged(provider, modes, wish)
                yield {"dialect": name, "modes": [one.value for one in modes], "wish": wish, **verdict}


def _judged(provider: Provider, modes: tuple[Mode, ...], wish: dict[str, Any]) -> dict[str, Any]:
    """The engine's verdict: the fields that it refuses and those it warns of, and the model that it takes."""

    def plain(name: str) -> Any:
        return None if wish[name] == "auto" else wish[name]

    mode = plain("mode") and Mode(plain("mode"))
    if mode is None and not wish["images"]:
        mode = modes[0]
    request = VideoRequest(
        mode=mode,
        model=plain("model"),
        prompt=wish["prompt"],
        resolution=plain("resolution"),
        aspect_ratio=plain("aspect_ratio"),
        duration_seconds=wish["duration"] or None,
        motion_mode=plain("motion_mode"),
        reference_images=tuple(f"https://example.com/{number}.png" for number in range(wish["images"])),
    )
    model = None
    try:
        checked = provider.check(request)
    except RequestError as error:
        faults = {one.field for one in error.violations}
        warned = None
    else:
        faults, warned = set[str](), sorted({one.field for one in checked.warnings})
        model = checked.capability.model
    return {"refused": sorted(faults), "warned": warned, "model": model}
