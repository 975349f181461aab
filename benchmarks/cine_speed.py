"""How many pictures a second a clip goes through decoding, masking and the image tower, and the memory it takes.

A 1080p H.264 clip of moving speckle in a fan, with text and a running trace, is made in a temporary folder by a process
of its own. Then, in one run: decoding alone (FFmpeg to `Frame`), the search for the sector, what `analyze` does with a
clip (search, pictures spread over it, tower, plane), and decoding + mask + letterbox + tower of every picture in
batches, up to `--encoded` of them. The peak memory is that of the measuring process as a whole, torch and model
included, as it stood after each stage. Not a test: see README.md in this folder.

    python benchmarks/cine_speed.py [--minutes 0.2] [--encoded 270] [--model fetalclip-open] [--json]
    python benchmarks/cine_speed.py --minutes 10              # about half an hour, 2 GB of disk for the clip
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

SIZE = (1920, 1080)
RATE = 30
LOOP = 60  # pictures, shown one after the other again and again
BATCH = 16
LIMIT_MB = 1000


def pictures(count: int) -> Iterator[np.ndarray]:
    """Speckle in a fan, one of 60 pictures after the other, text that stands and a trace that runs; uint8 (H, W)."""
    from fetalclip.phantom.sector import place

    width, height = SIZE
    rng = np.random.default_rng(0)
    inside = np.zeros((height, width), bool)
    inside[40:1000, 400:1520] = place(rng, "fan", (1120, 960), 0.15).inside
    loop = []
    for _ in range(LOOP):
        coarse = 60 * rng.rayleigh(1.0, (height // 4, width // 4))
        picture = np.where(inside, coarse.repeat(4, 0).repeat(4, 1).clip(0, 255), 0).astype(np.uint8)
        picture[30:60:3, 20:300:2] = 230
        loop.append(picture)
    for index in range(count):
        picture = loop[index % LOOP].copy()
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


def measure(path: str, model: str, encoded: int, queue: Any) -> None:
    """Time the stages and put them in the queue."""
    import fetalclip
    from fetalclip.memory import keep_freed_memory
    from fetalclip.overlay.motion import find_motion

    keep_freed_memory()  # as the command line does
    network = fetalclip.load(model)
    found: dict[str, float] = {"peak_mb_before": peak_mb()}

    def stage(name: str, pictures: Callable[[], int]) -> int:
        begun = time.perf_counter()
        count = pictures()
        found[f"{name}_per_second"] = count / (time.perf_counter() - begun)
        found[f"peak_mb_after_{name}"] = peak_mb()
        return count

    cine = fetalclip.read_cine(path)
    found["pictures"] = stage("decode", lambda: sum(1 for _ in cine))
    stage("search", lambda: find_motion(cine).pictures)
    found["sector_share"] = float(find_motion(first(cine, 8 * BATCH)).sector.mean())
    stage("analyze", lambda: analysed(network, path))
    found["encoded"] = stage("decode_mask_encode", lambda: encode(network.encoder, cine, encoded))
    found["peak_mb"] = peak_mb()
    queue.put(found)


def analysed(network: Any, path: str) -> int:
    """`analyze` of the clip with every task; the pictures that it decoded once at least."""
    (said,) = network.analyze([path])
    if said.error is not None:
        raise SystemExit(f"the clip cannot be analysed: {said.error}")
    return int(said.input.frames)


def first(cine: Any, most: int) -> Any:
    """The first pictures of a clip as a clip."""
    return replace(cine, count=min(most, cine.count or most), shots=lambda: islice(iter(cine), most))


def encode(tower: Any, cine: Any, most: int) -> int:
    """Embed the first pictures of a clip, all but the sector hidden; how many there were."""
    from fetalclip.overlay.motion import find_motion
    from fetalclip.preprocess import prepare

    overlay, count = find_motion(first(cine, 8 * BATCH)).overlay, 0
    shots = iter(first(cine, most))
    while batch := [
        prepare(s.frame, tower.normalisation.image_size, found=overlay).pixels for s in islice(shots, BATCH)
    ]:
        count += len(tower.images(batch))
    return count


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=0.2)
    parser.add_argument("--encoded", type=int, default=270, help="pictures that the last stage embeds")
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
        meter = context.Process(target=measure, args=(path, asked.model, asked.encoded, queue))
        meter.start()
        while meter.is_alive() and queue.empty():
            meter.join(1.0)
        if queue.empty():
            raise SystemExit("the measuring process ended without an answer")
        found = {**queue.get(), "clip_mb": Path(path).stat().st_size / 1e6}
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
