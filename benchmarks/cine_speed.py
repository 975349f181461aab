"""How many pictures a second a clip goes through decoding, masking and the image tower, and the memory it takes.

A 1080p H.264 clip of moving speckle in a fan, with text and a running trace, is made in a temporary folder by a process
of its own. Then, in one run: decoding alone (FFmpeg to `Frame`), the search for the sector, and decoding + mask +
letterbox + tower of every picture in batches. The peak memory is that of the measuring process as a whole, torch and
model included. Not a test: see README.md in this folder.

    python benchmarks/cine_speed.py [--minutes 0.2] [--model fetalclip-open] [--json]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

SIZE = (1920, 1080)
RATE = 30
BATCH = 16
LIMIT_MB = 1000


def pictures(count: int) -> Iterator[np.ndarray]:
    """Speckle in a fan, one of 16 pictures after the other, text that stands and a trace that runs; uint8 (H, W)."""
    from fetalclip.phantom.sector import place

    width, height = SIZE
    rng = np.random.default_rng(0)
    inside = np.zeros((height, width), bool)
    inside[40:1000, 400:1520] = place(rng, "fan", (1120, 960), 0.15).inside
    loop = []
    for _ in range(16):
        coarse = 60 * rng.rayleigh(1.0, (height // 4, width // 4))
        picture = np.where(inside, coarse.repeat(4, 0).repeat(4, 1).clip(0, 255), 0).astype(np.uint8)
        picture[30:60:3, 20:300:2] = 230
        loop.append(picture)
    for index in range(count):
        picture = loop[index % 16].copy()
        at = np.arange(60, 900)
        picture[np.where((at - 9 * index) % 120 < 6, 1020, 1050), at] = 255
        yield picture


def write(path: str, count: int) -> None:
    """The clip, H.264 at the encoder's quickest."""
    import av

    with av.open(path, "w") as target:
        stream = target.add_stream("libx264", rate=RATE, options={"preset": "ultrafast", "crf": "28"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for picture in pictures(count):
            target.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="gray").reformat(format="yuv420p")))
        target.mux(stream.encode())


def peak_mb() -> float:
    """Most memory this process has held, MB (ru_maxrss is in kB on Linux, in bytes on macOS)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def measure(path: str, model: str, queue: Any) -> None:
    """Time the stages and put them in the queue."""
    import fetalclip
    from fetalclip.overlay.motion import find_motion
    from fetalclip.preprocess import prepare

    network = fetalclip.load(model)
    tower = network.encoder
    cine = fetalclip.read_cine(path)
    started = peak_mb()
    begun = time.perf_counter()
    count = sum(1 for _ in cine)
    decode = time.perf_counter() - begun
    begun = time.perf_counter()
    motion = find_motion(cine)
    search = time.perf_counter() - begun
    overlay, batch, encoded = motion.overlay, [], 0
    begun = time.perf_counter()
    for shot in cine:
        batch.append(prepare(shot.frame, tower.normalisation.image_size, found=overlay).pixels)
        if len(batch) == BATCH or shot.index == count - 1:
            encoded += len(tower.images(batch))
            batch = []
    whole = time.perf_counter() - begun
    queue.put(
        {
            "pictures": count,
            "encoded": encoded,
            "decode_per_second": count / decode,
            "search_per_second": count / search,
            "decode_mask_encode_per_second": encoded / whole,
            "times_slower": whole / decode,
            "peak_mb_before": started,
            "peak_mb": peak_mb(),
            "sector_share": float(motion.sector.mean()),
        }
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=0.2)
    parser.add_argument("--model", default="fetalclip-open")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    count = max(1, round(asked.minutes * 60 * RATE))
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "clip.mp4")
        maker = context.Process(target=write, args=(path, count))
        maker.start()
        maker.join()
        queue = context.Queue()
        meter = context.Process(target=measure, args=(path, asked.model, queue))
        meter.start()
        found = queue.get()
        meter.join()
    if asked.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(
                f"{name.replace('_', ' '):<32} {value:10.1f}" if isinstance(value, float) else f"{name:<32} {value:>10}"
            )
        print(f"peak memory {'under' if found['peak_mb'] < LIMIT_MB else 'ABOVE'} {LIMIT_MB} MB")
    return 0 if found["peak_mb"] < LIMIT_MB else 1


if __name__ == "__main__":
    raise SystemExit(main())
