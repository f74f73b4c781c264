"""The sound: a slow pad of a few chords, a little air, and now and then a bell."""

from __future__ import annotations

import hashlib
from typing import cast

import numpy as np

from .colour import Floats
from .sizes import SAMPLE_RATE

# Semitones above the root; every step to the next one keeps common tones, so the change is soft.
_PROGRESSIONS = (
    ((0, 7, 11, 14, 16), (-3, 4, 7, 12, 16), (-7, 0, 4, 9, 16), (-5, 2, 7, 11, 14)),
    ((0, 7, 10, 14, 15), (-4, 3, 8, 12, 15), (-7, 0, 5, 8, 15), (-2, 5, 10, 14, 17)),
    ((0, 7, 12, 14, 19), (-5, 2, 7, 14, 17), (-3, 4, 9, 12, 19), (-7, 0, 9, 12, 16)),
)
_BELLS = (0, 2, 4, 7, 9, 12, 14)
_PEAK = 0.30


def pad(prompt: str, samples: int) -> Floats:
    """Stereo, shape (2, samples), between -1 and 1, starting and ending in silence."""
    seed = hashlib.sha256(b"sound" + prompt.strip().encode("utf-8", "surrogatepass")).digest()
    rng = np.random.default_rng(list(seed))
    time = np.arange(samples, dtype=np.float32) / SAMPLE_RATE
    length = samples / SAMPLE_RATE
    root = 55.0 * 2 ** (rng.integers(0, 8) / 12)
    chords = _PROGRESSIONS[int(rng.integers(len(_PROGRESSIONS)))]
    count = max(2, round(length / 4.5))
    out = np.zeros((2, samples), np.float32)
    for k in range(count):
        _add_chord(out, time, root, chords[k % len(chords)], (k + 0.5) / count * length, length / count, rng)
    _add_air(out, rng)
    for _ in range(max(1, int(length / 2.2))):
        _add_bell(out, root, rng)
    swell = 0.86 + 0.14 * np.sin(2 * np.pi * time / 7.0 + 4.0)
    out *= swell * _fade(samples)
    return out * np.float32(_PEAK / max(float(np.abs(out).max()), 1e-6))


def _add_chord(
    out: Floats, time: Floats, root: float, notes: tuple[int, ...], middle: float, span: float, rng: np.random.Generator
) -> None:
    """One chord, swelling in from the one before and out into the next."""
    reach = span * 0.85
    first = max(int((middle - reach) * SAMPLE_RATE), 0)
    last = min(int((middle + reach) * SAMPLE_RATE), len(time))
    now = time[first:last]
    envelope = np.cos(np.clip((now - middle) / reach, -1, 1) * np.pi / 2) ** 2
    for position, note in enumerate(notes):
        pitch = root * 2 ** (note / 12) * (1 if position == 0 else 2)
        level = 0.9 if position == 0 else 0.55 / (1 + 0.25 * position)
        lean = float(rng.uniform(0.35, 0.65))
        for channel, detune in ((0, -0.0011), (1, 0.0011)):
            wave = np.zeros(len(now), np.float32)
            for harmonic, strength in ((1, 1.0), (2, 0.34), (3, 0.12)):
                turn = np.float32(2 * np.pi * pitch * harmonic * (1 + detune))
                angle = cast(Floats, turn * now + np.float32(rng.uniform(0, 6.28)))
                wave += cast(Floats, np.float32(strength) * np.sin(angle))
            share = lean if channel == 0 else 1 - lean
            out[channel, first:last] += np.float32(level * share) * envelope * wave


def _add_air(out: Floats, rng: np.random.Generator) -> None:
    """Wind: noise drawn at a low rate and joined smoothly, so nothing of it hisses."""
    samples = int(out.shape[1])
    place = cast(Floats, np.arange(samples, dtype=np.float64))
    for channel in range(2):
        knots = cast(Floats, rng.standard_normal(samples // 40 + 2))
        soft = cast(Floats, np.convolve(knots, np.hanning(9) / 4.5, mode="same"))
        strengths = cast(Floats, rng.uniform(0.3, 1.0, 9))
        gust = np.interp(place, np.linspace(0, samples, 9), strengths)
        out[channel] += 0.10 * np.interp(place / 40, np.arange(len(soft)), soft) * gust


def _add_bell(out: Floats, root: float, rng: np.random.Generator) -> None:
    samples = out.shape[1]
    start = int(rng.uniform(0.08, 0.75) * samples)
    time = np.arange(min(samples - start, int(2.8 * SAMPLE_RATE)), dtype=np.float32) / SAMPLE_RATE
    pitch = root * 8 * 2 ** (_BELLS[int(rng.integers(len(_BELLS)))] / 12)
    attack = np.clip(time / 0.012, 0, 1)
    tone = np.sin(2 * np.pi * pitch * time) * np.exp(-time * 2.6)
    tone += 0.3 * np.sin(2 * np.pi * pitch * 2.756 * time) * np.exp(-time * 7)
    place = rng.uniform(0.25, 0.75)
    for channel, share in ((0, 1 - place), (1, place)):
        out[channel, start : start + len(time)] += (0.16 * share * attack * tone).astype(np.float32)


def _fade(samples: int) -> Floats:
    """From nothing and back to nothing, with no corner that could click."""
    envelope = np.ones(samples, np.float32)
    rise, fall = min(int(1.0 * SAMPLE_RATE), samples // 3), min(int(1.4 * SAMPLE_RATE), samples // 3)
    envelope[:rise] = np.sin(np.linspace(0, np.pi / 2, rise)) ** 2
    envelope[samples - fall :] = np.cos(np.linspace(0, np.pi / 2, fall)) ** 2
    return envelope
