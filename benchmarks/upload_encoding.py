"""Pictures on their way to a store: how fast, how much memory, how many bytes, how near to the original.

``python benchmarks/upload_encoding.py`` puts seven references of 2048 x 2048 into a real S3 server on loopback (nanio),
once for each kind of picture, in fresh processes, interleaved. With ``COMFYUI_PATH`` and ``COMFYUI_PYTHON`` set, the
conversion that ComfyUI's own API nodes use does the same with the same tensors beside it. It is kept for report.py;
``--kind photo`` measures that kind alone, and keeps the others as they were.

``--rates`` shows instead what WebP and JPEG can do with so many bits for each pixel, and which of them is taken;
``--picture FILE`` does that for pictures of one's own.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import kept
import numpy as np
import pictures
from PIL import Image

COUNT, SIDE, MEGABYTE = 7, 2048, 1e6
LIMIT = 10 * 1024 * 1024
RATES = (8.0, 5.0, 4.0, 3.0, 2.0, 1.5, 1.0)
KEYS = {"NANIO_ACCESS_KEY": "AKIABENCHMARK", "NANIO_SECRET_KEY": "no-secret"}


def ours(name: str) -> Any:
    """A module of the engine, by its path below it."""
    sys.path.insert(0, str(kept.ROOT))
    return importlib.import_module(f"grok_imagine.{name}")


# -- one run, in a process of its own


class Watch:
    """Wall time, and the most memory beyond what was in use at the beginning (Linux only, else 0)."""

    def __enter__(self) -> Watch:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        self._before, self._began = _status("VmRSS"), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._began
        self.peak = max(0, _status("VmHWM") - self._before)


def _status(field: str) -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


async def publish_ours(tensors: np.ndarray, work: dict[str, Any], watch: Watch) -> list[bytes]:
    """Encoded side by side and put by the engine's own session."""
    settings = ours("settings")
    store = settings.StoreSettings(**work["store"])
    async with ours("jobs.session").Session(Path(work["home"]), settings.Settings(stores={"mine": store})) as session:
        with watch:
            blobs = await session.publisher.images(list(tensors))
            await session.upload(blobs, "mine")
    return [blob.data for blob in blobs]


async def publish_comfyui(tensors: np.ndarray, work: dict[str, Any], watch: Watch) -> list[bytes]:
    """As ComfyUI's upload_images_to_comfyapi does: one after the other, each as PNG; the PUT goes to our store."""
    sys.path.insert(0, os.environ["COMFYUI_PATH"])
    sys.argv[1:] = ["--cpu"]
    importlib.import_module("comfy.options").enable_args_parsing()
    importlib.import_module("utils.extra_config")  # as main.py does, before something else is called utils
    convert = importlib.import_module("comfy_api_nodes.util.conversions").tensor_to_bytesio
    import aiohttp

    images, made = importlib.import_module("torch").from_numpy(tensors), []
    with watch:
        for image, url in zip(images, work["urls"], strict=True):
            file = convert(image, total_pixels=SIDE * SIDE, mime_type=None)
            made.append(file)
            async with aiohttp.ClientSession() as client, client.put(url, data=file.getvalue()) as answer:
                answer.raise_for_status()
    return [file.getvalue() for file in made]


def child(work: dict[str, Any]) -> None:
    """One run; its numbers go to stdout, its files into a folder."""
    tensors, watch = np.load(work["tensors"]), Watch()
    publish = publish_comfyui if work["who"] == "comfyui" else publish_ours
    files = asyncio.run(publish(tensors, work, watch))
    for number, data in enumerate(files):
        (Path(work["out"]) / str(number)).write_bytes(data)
    print(json.dumps({"seconds": watch.seconds, "peak": watch.peak, "bytes": [len(data) for data in files]}))


# -- how near a picture comes to the original


def psnr(original: np.ndarray, made: np.ndarray) -> float:
    """In decibels, over all three channels; infinite where every pixel is the same."""
    error = np.mean(np.square(original.astype(np.float32) - made))
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def ssim(original: np.ndarray, made: np.ndarray, window: int = 7) -> float:
    """Structural similarity (Wang et al. 2004) over squares of 7 x 7, the mean of the three channels."""
    found = []
    for channel in range(3):
        a, b = original[..., channel].astype(np.float64), made[..., channel].astype(np.float64)
        mean_a, mean_b = _boxes(a, window), _boxes(b, window)
        var_a, var_b = _boxes(a * a, window) - mean_a**2, _boxes(b * b, window) - mean_b**2
        both = _boxes(a * b, window) - mean_a * mean_b
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        likeness = (2 * mean_a * mean_b + c1) * (2 * both + c2)
        found.append(np.mean(likeness / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))))
    return float(np.mean(found))


def _boxes(values: np.ndarray, window: int) -> np.ndarray:
    """The mean of every square of that side."""
    sums = np.pad(values, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    part = sums[window:, window:] - sums[:-window, window:] - sums[window:, :-window] + sums[:-window, :-window]
    return part / window**2


def bytes_of(values: np.ndarray) -> np.ndarray:
    """Floats in 0..1 as the nearest 8-bit values."""
    return np.rint(values * 255).astype(np.uint8)


# -- seven references, beside ComfyUI


@contextmanager
def store(folder: Path) -> Iterator[dict[str, str]]:
    """A running S3 server, and the settings that lead to it."""
    (folder / "s3" / "refs").mkdir(parents=True)
    command = [str(Path(sys.executable).parent / "nanio"), "serve", "--data-dir", str(folder / "s3"), "--port", "19771"]
    command += ["--host", "127.0.0.1", "--no-access-log", "--log-level", "error"]
    there = {"bucket": "refs", "endpoint": "http://127.0.0.1:19771", "region": "us-east-1"}
    process = subprocess.Popen(command, env={**os.environ, **KEYS})
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(there["endpoint"], timeout=5).close()
            except urllib.error.HTTPError as error:  # it answers, and wants a signature
                error.close()
                break
            except OSError:
                time.sleep(0.1)
        key, secret = KEYS.values()
        yield {**there, "access_key_id": key, "secret_access_key": secret}
    finally:
        process.kill()
        process.wait()


def put_urls(there: dict[str, str]) -> list[str]:
    """Presigned addresses, as ComfyUI gets them from its own service."""
    import obstore
    from obstore.store import S3Store

    known = {name: there[name] for name in ("endpoint", "region", "access_key_id", "secret_access_key")}
    bucket = S3Store("refs", **known, client_options={"allow_http": True})
    hour = importlib.import_module("datetime").timedelta(hours=1)
    return [obstore.sign(bucket, "PUT", f"comfyui/{number}.png", hour) for number in range(COUNT)]


def one_run(who: str, tensors: Path, folder: Path, there: dict[str, str]) -> dict[str, Any]:
    """A fresh process."""
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        out = Path(fresh) / "out"
        out.mkdir()
        work = {"who": who, "tensors": str(tensors), "home": f"{fresh}/home", "out": str(out), "store": there}
        if who == "comfyui":
            work["urls"] = put_urls(there)
        python = os.environ.get("COMFYUI_PYTHON", sys.executable) if who == "comfyui" else sys.executable
        command = [python, __file__, "--child", json.dumps(work)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr)
        told = json.loads(done.stdout.splitlines()[-1])
        original, made = bytes_of(np.load(tensors, mmap_mode="r")[0]), Image.open(out / "0")
        told |= {"kind": made.format, "psnr": psnr(original, np.asarray(made.convert("RGB")))}
        return told


def references(runs: int, kinds: list[str]) -> None:
    """Measures the seven references of each kind, and keeps what it finds."""
    everybody = ["ours", *(["comfyui"] if "COMFYUI_PATH" in os.environ else [])]
    print(f"seven references of {SIDE} x {SIDE}, encoded and put; medians of {runs} fresh processes, interleaved")
    print(f"{'picture':10} {'who':8} {'s':>6} {'ratio':>6} {'peak MB':>8} {'MB':>6}  format, nearness of the first")
    with tempfile.TemporaryDirectory() as temporary, store(Path(temporary)) as there:
        for name in kinds:
            tensors = Path(temporary) / "tensors.npy"
            np.save(tensors, np.stack([pictures.KINDS[name](SIDE, SIDE, seed) for seed in range(COUNT)]))
            found: dict[str, list[dict[str, Any]]] = {who: [] for who in everybody}
            for _ in range(runs):
                for who in everybody:
                    found[who].append(one_run(who, tensors, Path(temporary), there))
            told = {who: summary(measured) for who, measured in found.items()}
            kinds_before = kept.load("upload").get("kinds", {})
            kept.save("upload", {"comfyui": kept.comfyui(), "kinds": {**kinds_before, name: told}})
            for who, one in told.items():
                ratio = one["seconds"] / told["ours"]["seconds"]
                over = f"; {one['too_large']} of {COUNT} over 10 MB" if one["too_large"] else ""
                print(
                    f"{name:10} {who:8} {one['seconds']:6.2f} {ratio:6.2f} {one['peak_mb']:8.0f} {one['mb']:6.1f}"
                    f"  {one['format']}, PSNR {one['psnr']:.1f} dB{over}",
                    flush=True,
                )


def summary(measured: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians of the runs; the files are the same in each."""
    first = measured[0]
    return {
        "runs": len(measured),
        "seconds": statistics.median(run["seconds"] for run in measured),
        "peak_mb": statistics.median(run["peak"] for run in measured) / MEGABYTE,
        "mb": sum(first["bytes"]) / MEGABYTE,
        "too_large": sum(size > LIMIT for size in first["bytes"]),
        "format": first["kind"],
        "psnr": first["psnr"],
    }


# -- WebP or JPEG


def rates(files: list[Path]) -> None:
    """What each format can do where so many bits are left for each pixel."""
    fit = ours("media.images.compress").compress
    samples = {name: bytes_of(make(1024, 1024)) for name, make in pictures.KINDS.items()}
    for file in files:
        with Image.open(file) as opened:
            samples[file.stem] = np.asarray(opened.convert("RGB"))
    print(f"{'picture':12} {'bits/pixel':>10}   {'WebP':>18}   {'JPEG 4:4:4':>18}   taken   (PSNR in dB, SSIM)")
    for name, original in samples.items():
        for rate in RATES:
            limit, cells = int(original.shape[0] * original.shape[1] * rate / 8), []
            for formats in (("image/webp",), ("image/jpeg",)):
                made = _opened(fit(Image.fromarray(original), limit, formats).data)
                same = made.shape == original.shape
                cells.append(f"{psnr(original, made):6.1f} {ssim(original, made):8.4f}" if same else "made smaller")
            taken = fit(Image.fromarray(original), limit, ("image/png", "image/webp", "image/jpeg")).media_type
            print(f"{name:12} {rate:10.1f}   {cells[0]:>18}   {cells[1]:>18}   {taken.split('/')[1]}")


def _opened(data: bytes) -> np.ndarray:
    with Image.open(importlib.import_module("io").BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--kind", choices=pictures.KINDS, action="append", help="only this one")
    parser.add_argument("--rates", action="store_true")
    parser.add_argument("--picture", type=Path, action="append", default=[], metavar="FILE")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(json.loads(options.child))
    elif options.rates or options.picture:
        rates(options.picture)
    else:
        references(options.runs, options.kind or list(pictures.KINDS))


if __name__ == "__main__":
    main()
