"""How fast DICOM files are decoded, by transfer syntax, and what reading them adds to ``analyze`` against PNG.

Decoding: a clip of 800 x 600 simulated pictures in colour, written in each syntax that can be written here (no encoder
for lossless JPEG comes with the package: a file of pydicom-data stands in, where it is installed), every picture
decoded to 8 bits through ``fetalclip.read_cine``. Analyze: the same grey pictures as PNG and as DICOM, turn by turn in
one process, with the tiny model and, with ``--model``, another. Not a test: see README.md in this folder.

    python benchmarks/dicom.py [--pictures 20] [--rounds 5] [--model NAME] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

WIDTH, HEIGHT = 800, 600
NATIVE = {
    "implicit little endian": "1.2.840.10008.1.2",
    "explicit little endian": "1.2.840.10008.1.2.1",
    "explicit big endian": "1.2.840.10008.1.2.2",
    "deflated": "1.2.840.10008.1.2.1.99",
}
CODED = {"RLE lossless": "1.2.840.10008.1.2.5", "JPEG-LS lossless": "1.2.840.10008.1.2.4.80"}
BY_PILLOW: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "JPEG baseline": ("1.2.840.10008.1.2.4.50", "JPEG", {"quality": 90}, "YBR_FULL_422"),
    "JPEG 2000 lossless": ("1.2.840.10008.1.2.4.90", "JPEG2000", {"irreversible": False}, "YBR_RCT"),
    "JPEG 2000": (
        "1.2.840.10008.1.2.4.91",
        "JPEG2000",
        {"irreversible": True, "quality_mode": "rates", "quality_layers": [10]},
        "YBR_ICT",
    ),
}


def drawn(count: int) -> np.ndarray:
    """Simulated heads with a coloured banner, uint8 (count, 600, 800, 3)."""
    from fetalclip.phantom import draw

    out = np.zeros((count, HEIGHT, WIDTH, 3), np.uint8)
    for index in range(count):
        picture = draw("brain", seed=index).frame.gray[:HEIGHT, :WIDTH]
        out[index, : picture.shape[0], : picture.shape[1]] = picture[..., None]
        out[index, 20:40, 20:200] = (255, 200, 40)
    return out


def written(pixels: np.ndarray, name: str) -> bytes:
    """A clip, or a still of one picture, as a file of this syntax."""
    from PIL import Image
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate

    data = Dataset()
    data.SOPClassUID = f"1.2.840.10008.5.1.4.1.1.{'3.1' if len(pixels) > 1 else '6.1'}"
    data.SOPInstanceUID = "1.2.3"
    data.Rows, data.Columns = pixels.shape[1:3]
    data.SamplesPerPixel, data.PhotometricInterpretation = (3, "RGB") if pixels.ndim == 4 else (1, "MONOCHROME2")
    if pixels.ndim == 4:
        data.PlanarConfiguration = 0
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    if len(pixels) > 1:
        data.NumberOfFrames, data.FrameTime = len(pixels), "33"
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = NATIVE["explicit little endian"]
    data.file_meta.MediaStorageSOPClassUID, data.file_meta.MediaStorageSOPInstanceUID = data.SOPClassUID, "1.2.3"
    data.PixelData = pixels.tobytes()
    data["PixelData"].VR = "OB"
    if name in BY_PILLOW:
        syntax, form, options, colours = BY_PILLOW[name]
        parts = []
        for picture in pixels:
            part = BytesIO()
            Image.fromarray(picture).save(part, form, **options)
            parts.append(part.getvalue())
        data.PixelData = encapsulate(parts)
        data["PixelData"].is_undefined_length = True
        data.file_meta.TransferSyntaxUID, data.PhotometricInterpretation = syntax, colours
    elif name in CODED:
        data.compress(CODED[name], generate_instance_uid=False)
    else:
        data.file_meta.TransferSyntaxUID = NATIVE[name]
    out = BytesIO()
    data.save_as(out, enforce_file_format=True)
    return out.getvalue()


def timed(call: Callable[[], Any], rounds: int, clock: Callable[[], float] = time.perf_counter) -> list[float]:
    """Seconds of each call, after one that does not count."""
    call()
    found = []
    for _ in range(rounds):
        began = clock()
        call()
        found.append(clock() - began)
    return found


def decoding(count: int, rounds: int) -> list[dict[str, Any]]:
    """Pictures per second and megabytes of each syntax."""
    from fetalclip.io import read, read_cine

    pixels, rows = drawn(count), []
    with tempfile.TemporaryDirectory() as folder:
        for name in (*NATIVE, *CODED, *BY_PILLOW):
            path = Path(folder) / "clip.dcm"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                path.write_bytes(written(pixels, name))
            cine = read_cine(path)
            seconds = timed(lambda cine=cine: sum(1 for _ in cine), rounds)  # type: ignore[misc]
            rows.append(_row(name, count, seconds, path.stat().st_size))
    try:
        import data_store
    except ImportError:
        return rows
    path = Path(data_store.__file__).parent / "data" / "JPGLosslessP14SV1_1s_1f_8b.dcm"
    rows.append(_row("JPEG lossless (1024 x 768, grey)", 1, timed(lambda: read(path), rounds), path.stat().st_size))
    return rows


def _row(name: str, count: int, seconds: list[float], size: int) -> dict[str, Any]:
    return {
        "syntax": name,
        "pictures_per_second": round(count / statistics.median(seconds), 1),
        "best": round(count / min(seconds), 1),
        "megabytes": round(size / 1e6, 2),
    }


def overhead(model: str, count: int, rounds: int) -> dict[str, Any]:
    """Processor time of ``analyze`` on the same pictures as PNG and as uncompressed DICOM, turn by turn; its ratio."""
    from PIL import Image

    from fetalclip import load

    pixels = drawn(count)[..., 0]
    found: dict[str, list[float]] = {"png": [], "dicom": []}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = load(model)
        files: dict[str, list[Path]] = {"png": [], "dicom": []}
        for index, picture in enumerate(pixels):
            for kind in files:
                files[kind].append(Path(folder) / f"{index}.{kind}")
            Image.fromarray(picture).save(files["png"][-1], "PNG")
            files["dicom"][-1].write_bytes(written(picture[None], "explicit little endian"))
        for turn in range(rounds + 1):
            for kind in ("png", "dicom") if turn % 2 else ("dicom", "png"):
                began = time.process_time()
                errors = [one.error for one in network.analyze(files[kind]) if one.error]
                if errors:
                    raise SystemExit(errors[0])
                if turn:
                    found[kind].append((time.process_time() - began) / count * 1000)
        alone = {kind: _reading(paths, rounds) for kind, paths in files.items()}
    png, dicom = (statistics.median(found[kind]) for kind in ("png", "dicom"))
    turns = list(zip(found["png"], found["dicom"], strict=True))
    return {
        "model": model,
        "png_ms": round(png, 2),
        "dicom_ms": round(dicom, 2),
        "ratio": round(statistics.median(b / a for a, b in turns), 3),
        "ratios": [round(b / a, 3) for a, b in turns],
        "difference_ms": round(statistics.median(b - a for a, b in turns), 2),
        "reading_png_ms": alone["png"],
        "reading_dicom_ms": alone["dicom"],
    }


def _reading(paths: list[Path], rounds: int) -> float:
    """Milliseconds of processor time a picture to tell it from a clip and read it, as ``analyze`` does."""
    from fetalclip.io import is_clip, read

    seconds = timed(lambda: [(is_clip(path), read(path)) for path in paths], rounds, time.process_time)
    return round(statistics.median(seconds) / len(paths) * 1000, 2)


def main() -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", action="append")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    rows = decoding(asked.pictures, asked.rounds)
    pairs = [overhead(model, asked.pictures, asked.rounds) for model in asked.model or ["fetalclip-tiny"]]
    if asked.json:
        sys.stdout.write(json.dumps({"decoding": rows, "analyze": pairs}, indent=2) + "\n")
        return 0
    for row in rows:
        print(
            f"{row['syntax']:<34} {row['pictures_per_second']:>8} a second (best {row['best']}), {row['megabytes']} MB"
        )
    for pair in pairs:
        print(f"analyze, {pair['model']}: PNG {pair['png_ms']} ms, DICOM {pair['dicom_ms']} ms a picture;")
        print(f"  DICOM over PNG, turn by turn: {pair['ratio']} ({min(pair['ratios'])} to {max(pair['ratios'])}),")
        print(f"  {pair['difference_ms']} ms; reading alone: PNG {pair['reading_png_ms']} ms, DICOM")
        print(f"  {pair['reading_dicom_ms']} ms (processor time)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
