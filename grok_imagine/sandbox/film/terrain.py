"""Hills, peaks, dunes and woods: outlines drawn as height lines, with haze between them."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from .canvas import PHASES, Layer, Mask, Planes, soft_phases
from .colour import Bytes, Floats, mix, to_yuv
from .noise import cloud, skyline, smoothstep


def crest_phases(line: Floats, height: int) -> list[Floats]:
    """Masks of everything under a crest. `line` is its depth in pixels, PHASES samples per pixel."""
    rows = np.arange(height, dtype=np.float32)[:, None] + 0.5
    samples: list[Floats] = [np.clip(rows - line[k::PHASES][None, :] + 0.5, 0, 1) for k in range(PHASES)]
    ahead: list[Floats] = [np.roll(sample, -1, axis=1) for sample in samples]
    total: Floats = np.sum(samples, axis=0)
    phases: list[Floats] = [total / PHASES]
    for k in range(PHASES - 1):
        total = total - samples[k] + ahead[k]
        phases.append(total / PHASES)
    return phases


def pines(line: Floats, rng: np.random.Generator, tall: float, gap: float, groves: Floats) -> Floats:
    """Raise a crest by conifers: cones with ragged edges, standing where `groves` (0..1) is high."""
    raised: Floats = np.array(line)
    width = len(line)
    place = 0.0
    while place < width:
        place += gap * PHASES * rng.uniform(0.35, 1.6)
        at = int(place) % width
        wood = groves[at]
        if rng.random() > wood:
            continue
        height = tall * rng.uniform(0.45, 1.0) * (0.55 + 0.45 * wood)
        half = max(int(height * rng.uniform(0.17, 0.24) * PHASES), 2)
        away = np.abs(np.arange(-half, half + 1)) / half
        tiers = rng.uniform(7, 12)
        shape = 1 - away**0.92
        # Whorls of branches: each sweeps down and out, then the outline steps back in.
        ragged = shape - 0.5 / tiers * ((shape * tiers + rng.uniform(0, 1)) % 1.0) * (away > 0.05)
        places = np.arange(at - half, at + half + 1) % width
        raised[places] = np.minimum(raised[places], line[at] - height * ragged + height * 0.06)
    return raised


def hill(line: Floats, ink: Floats, top: int, speed: float, view: int, rng: np.random.Generator) -> Layer:
    """A layer from its crest (depth under `top`) and its ink (linear light, from `top` to the frame's bottom)."""
    deepest = int(np.ceil(line.max())) + 2
    height = min(deepest + deepest % 2, ink.shape[0])
    mask = Mask(crest_phases(line, height), view)
    return Layer(Planes.of(to_yuv(ink, rng)), mask, top, speed, start=float(rng.uniform(0, mask.period)))


def outline(rng: np.random.Generator, period: int, height: int, kind: str, depth: float) -> Floats:
    """A crest for a layer at `depth` (0 far, 1 near), 0 at its highest and 1 at its lowest place."""
    width = period * PHASES
    # Hills are as broad in a narrow frame as in a wide one: they are counted by the frame's height.
    frames = period / (height * 16 / 9 * 1.5)

    def cells(count: float) -> int:
        return max(round(count * frames), 2)

    if kind == "dunes":
        return _dunes(rng, width, cells(2 + 3 * (1 - depth)))
    if kind == "peaks":
        return 1 - skyline(rng, width, cells(4 + 3 * depth), octaves=7, fall=0.47, ridged=0.75 * (1 - 0.6 * depth))
    return 1 - skyline(rng, width, cells(4 + 3 * depth), octaves=6, fall=0.42, ridged=0.3 * (1 - depth))


def _dunes(rng: np.random.Generator, width: int, cells: int) -> Floats:
    """Sharp crests and wide, round hollows: what wind makes of sand. One side is steeper than the other."""
    around = np.arange(width, dtype=np.float32) * np.float32(2 * np.pi / width)
    total = np.zeros(width, np.float32)
    for weight, count in ((1.0, cells), (0.55, cells + 1), (0.22, cells * 2 + 1)):
        lean = 0.55 * np.sin(count * around + rng.uniform(0, 6.28)) + rng.uniform(0, 6.28)
        total += (
            weight * np.abs(np.sin(count * around / 2 + lean))
            if count % 2 == 0
            else weight * (0.5 + 0.5 * np.sin(count * around + lean))
        )
    total += 0.25 * skyline(rng, width, 3, octaves=1)
    low, high = float(total.min()), float(total.max())
    return (total - low) / (high - low)


def hazy_ink(near: Floats, haze: Floats, glow: Floats, depth: float, height: int, mist: float) -> Floats:
    """The colour of a hill: the farther, the more air before it, and mist lying at its foot."""
    face = mix(haze, near, np.full(glow.shape[1], 0.12 + 0.88 * depth**0.85, np.float32))
    foot = mix(face, haze, np.full(glow.shape[1], mist, np.float32))
    share = smoothstep(0.0, 1.0, np.linspace(0, 1, height, dtype=np.float32) * 1.25)[:, None, None]
    ink = face[None] * (1 - share) + foot[None] * share
    return ink + glow[:height] * (0.55 * (1 - depth) ** 1.5)


def drifting(
    rng: np.random.Generator,
    colour: Bytes | Floats,
    top: int,
    height: int,
    view: int,
    speed: float,
    strength: float,
    cover: tuple[float, float],
    cells: tuple[int, int],
) -> Layer:
    """A cloud or a bank of mist: one soft colour through a moving field that fades at its upper and lower edge."""
    height += height % 2
    period = view + view // 2
    period += period % 2
    field = smoothstep(cover[0], cover[1], cloud(rng, height, period, cells[0], cells[1]))
    edge = np.maximum(np.sin(np.linspace(0, np.pi, height, dtype=np.float32)), 0)[:, None] ** 0.8
    mask = Mask(soft_phases(field * edge * strength), view)
    ink = np.broadcast_to(np.asarray(colour, np.float32), (height, view, 3))
    return Layer(Planes.of(to_yuv(ink, rng)), mask, top - top % 2, speed, float(rng.uniform(0, period)))


def sailboat(rng: np.random.Generator, view: int, shore: int, tall: int, sail: Floats, hull: Floats) -> Layer:
    """A small boat on the waterline; the water mirrors it like everything else above the shore."""
    tall = max(tall - tall % 2, 8)
    period = view + view // 2
    period += period % 2
    big = Image.new("L", (period * PHASES, tall * PHASES), 0)
    draw = ImageDraw.Draw(big)
    unit, middle, foot = tall * PHASES, big.width // 2, tall * PHASES
    deck = foot - unit * 0.13
    draw.polygon(
        [
            (middle - unit * 0.06, deck - unit * 0.03),
            (middle - unit * 0.06, foot - unit * 0.98),
            (middle + unit * 0.34, deck - unit * 0.03),
        ],
        fill=255,
    )
    draw.polygon(
        [
            (middle - unit * 0.10, deck - unit * 0.03),
            (middle - unit * 0.10, foot - unit * 0.80),
            (middle - unit * 0.36, deck - unit * 0.03),
        ],
        fill=255,
    )
    draw.polygon(
        [
            (middle - unit * 0.40, deck),
            (middle + unit * 0.42, deck),
            (middle + unit * 0.28, foot),
            (middle - unit * 0.28, foot),
        ],
        fill=255,
    )
    fine = np.asarray(big, np.float32) / 255
    rows = fine.reshape(tall, PHASES, -1).mean(axis=1)
    phases = [np.roll(rows, -k, axis=1).reshape(tall, period, PHASES).mean(axis=2) for k in range(PHASES)]
    ink: Floats = np.array(np.broadcast_to(sail, (tall, view, 3)))
    ink[int(tall * 0.86) :] = hull
    place = period // 2 - view * rng.uniform(0.25, 0.75)
    return Layer(Planes.of(to_yuv(ink, rng)), Mask(phases, view), shore - tall, -view * 0.007, place)
