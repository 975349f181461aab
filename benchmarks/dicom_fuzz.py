"""Mutated DICOM files: every one gives a result or an error of ours, without a crash, a hang or much memory.

Seeds are small pictures and clips in every transfer syntax that can be written here, and the ultrasound and colour
files of pydicom's own package where they are small. Each is mutated (bits, bytes, cuts, lengths, repeated and moved
pieces, another transfer syntax, deep nesting) and read as ``fetalclip info`` and ``analyze`` read it, in a process
that is ended after 5 seconds for one file and given 1 GB.

    python benchmarks/dicom_fuzz.py --count 10000 --json fuzz.json
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import multiprocessing
import os
import random
import resource
import signal
import struct
import sys
import time
import warnings
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

SECONDS, MEMORY = 5.0, 1 << 30
BATCH = 250  # files of one process
SYNTAXES = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99")
SYNTAXES += tuple(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70, 80, 81, 90, 91)) + (
    "1.2.840.10008.1.2.5",
)


def written(syntax: str, frames: int, colour: bool, deep: bool = False) -> bytes:
    """A small ultrasound picture or clip with two regions, in a syntax that is written here."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import ExplicitVRLittleEndian

    height, width = 48, 64
    noise = np.random.default_rng(frames + 10 * colour)
    base = noise.integers(0, 255, (6, 8)).repeat(8, 0).repeat(8, 1)[None] + 3 * np.arange(frames)[:, None, None]
    pixels = (base[..., None].repeat(3, -1) if colour else base).clip(0, 255).astype(np.uint16 if deep else np.uint8)
    data = Dataset()
    data.SOPClassUID = f"1.2.840.10008.5.1.4.1.1.{'3.1' if frames > 1 else '6.1'}"
    data.SOPInstanceUID, data.PatientName, data.PatientID = "1.2.3.4", "SECRET^NAME", "SECRET"
    data.Rows, data.Columns, data.SamplesPerPixel = height, width, 3 if colour else 1
    data.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit = (16, 12, 11) if deep else (8, 8, 7)
    data.PixelRepresentation = 0
    if colour:
        data.PlanarConfiguration = 0
    if frames > 1:
        data.NumberOfFrames, data.FrameTime = frames, 33.3
    region = Dataset()
    region.RegionSpatialFormat = region.RegionDataType = 1
    region.RegionFlags, region.RegionLocationMinX0, region.RegionLocationMinY0 = 2, 4, 4
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 60, 44
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = 0.02
    data.SequenceOfUltrasoundRegions = [region]
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.PixelData = pixels.tobytes()
    if syntax in ("jpeg", "jpeg2000"):
        from PIL import Image

        parts = []
        for picture in pixels:
            out = BytesIO()
            Image.fromarray(picture.astype(np.uint8)).save(out, "JPEG" if syntax == "jpeg" else "JPEG2000")
            parts.append(out.getvalue())
        data.PixelData = encapsulate(parts)
        data.file_meta.TransferSyntaxUID = f"1.2.840.10008.1.2.4.{50 if syntax == 'jpeg' else 90}"
        data["PixelData"].is_undefined_length = True
        data.PhotometricInterpretation = (
            ("YBR_FULL_422" if syntax == "jpeg" else "YBR_RCT") if colour else "MONOCHROME2"
        )
    elif syntax.startswith(("1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.8")):
        data.compress(syntax, generate_instance_uid=False)
    else:
        data.file_meta.TransferSyntaxUID = syntax
    out = BytesIO()
    native = syntax in SYNTAXES[:4]
    little, implicit = syntax != SYNTAXES[2], syntax == SYNTAXES[0]
    if syntax == SYNTAXES[2] and deep:
        data.PixelData = pixels.astype(">u2").tobytes()
    if native and syntax != SYNTAXES[3]:
        data.save_as(out, enforce_file_format=True, little_endian=little, implicit_vr=implicit)
    else:
        data.save_as(out, enforce_file_format=True)
    return out.getvalue()


def seeds() -> list[bytes]:
    """The files that are mutated."""
    coded = [*SYNTAXES[:4], "jpeg", "jpeg2000", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.80"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [written(one, frames, colour) for one in coded for frames in (1, 4) for colour in (False, True)]
        found += [written(one, 1, False, deep=True) for one in (*SYNTAXES[:3], "1.2.840.10008.1.2.5")]
    import pydicom.data

    folder = Path(pydicom.data.__file__).parent / "test_files"
    for path in sorted(folder.glob("*.dcm")):
        if path.name.startswith(("SC_", "ExplVR", "JPEG", "examples_jpeg2k", "GDCM")) and path.stat().st_size < 200_000:
            found.append(path.read_bytes())
    return found


def mutated(data: bytes, rng: random.Random) -> bytes:
    """One file changed in one to four ways."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        rng.choice(_WAYS)(out, rng)
    return bytes(out)


def _place(out: bytearray, rng: random.Random) -> int:
    """Mostly in the header, which is small."""
    return rng.randrange(min(len(out), rng.choice((400, 1500, 4000, len(out)))) or 1) if out else 0


def _bits(out: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 4, 64))):
        if out:
            out[_place(out, rng)] ^= 1 << rng.randrange(8)


def _bytes(out: bytearray, rng: random.Random) -> None:
    at, count = _place(out, rng), rng.choice((1, 2, 4, 16))
    out[at : at + count] = rng.choice((b"\0" * count, b"\xff" * count, rng.randbytes(count)))


def _cut(out: bytearray, rng: random.Random) -> None:
    del out[rng.randrange(len(out) + 1) :]


def _lost(out: bytearray, rng: random.Random) -> None:
    at = _place(out, rng)
    del out[at : at + rng.choice((1, 2, 8, 100, 1000))]


def _twice(out: bytearray, rng: random.Random) -> None:
    at, size = _place(out, rng), rng.choice((1, 8, 64, 1000))
    out[at:at] = out[at : at + size] * rng.choice((1, 1, 2, 50))


def _length(out: bytearray, rng: random.Random) -> None:
    at = _place(out, rng) & ~1
    number = rng.choice((0, 1, 3, 0x7FFFFFFF, 0xFFFFFFFF, 0xFFFFFFFE, 0x10000, len(out), rng.randrange(1 << 32)))
    out[at : at + 4] = struct.pack(rng.choice("<>") + "L", number)


def _item(out: bytearray, rng: random.Random) -> None:
    """The length of an item of a sequence or of a fragment."""
    places = [at for at in range(0, len(out) - 8, 2) if out[at : at + 4] == b"\xfe\xff\x00\xe0"]
    if places:
        at = rng.choice(places) + 4
        out[at : at + 4] = struct.pack("<L", rng.choice((0, 1, 0xFFFFFFFF, 0x7FFFFFFF, rng.randrange(1 << 16))))


def _syntax(out: bytearray, rng: random.Random) -> None:
    at = out.find(b"1.2.840.10008.1.2", 132)
    end = at
    while at > 0 and end < len(out) and out[end : end + 1] in b"0123456789.":
        end += 1
    if at > 0:
        out[at:end] = rng.choice(SYNTAXES).encode().ljust(end - at, b"\0")[: end - at]


def _nested(out: bytearray, rng: random.Random) -> None:
    """Sequences within each other, without an end, before the pixels."""
    depth = rng.choice((10, 300, 5000))
    level = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    at = out.find(b"\x10\x00\x10\x00")
    out[max(0, at) : max(0, at)] = level * depth


def _field(out: bytearray, rng: random.Random) -> None:
    """A number that says how the pixels lie, in a little endian header."""
    tag = rng.choice((0x0002, 0x0006, 0x0010, 0x0011, 0x0100, 0x0101, 0x0102, 0x0103, 0x0008))
    at = out.find(struct.pack("<HH", 0x0028, tag))
    if at > 0:
        value = rng.choice((0, 1, 2, 3, 7, 8, 9, 12, 16, 32, 64, 255, 5000, 65535))
        out[at + 8 : at + 10] = struct.pack("<H", value)


def _swapped(out: bytearray, rng: random.Random) -> None:
    a, b, size = _place(out, rng), _place(out, rng), rng.choice((2, 8, 100))
    out[a : a + size], out[b : b + size] = out[b : b + size], out[a : a + size]


_WAYS = (_bits, _bits, _bytes, _bytes, _cut, _lost, _twice, _length, _length, _item, _item, _syntax, _nested, _field)
_WAYS += (_field, _swapped)


def outcome(data: bytes) -> str:
    """What reading a file comes to."""
    from fetalclip import io
    from fetalclip.errors import FetalclipError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            seen = io.inspect(data, show_identifiers=True)
            if io.is_clip(data):
                read = "clip" if sum(1 for _ in io.read_cine(data)) else "nothing"
            else:
                read = "picture" if io.read(data).pixels.size else "nothing"
        return f"{read}, with warnings" if seen.get("warnings") else read
    except FetalclipError as error:
        return f"WITH AN IDENTIFIER: {error}" if "SECRET" in str(error) else type(error).__name__
    except Exception as error:
        return f"CRASH {type(error).__name__}: {str(error)[:80]}"


def _work(numbers: list[int], seed: int, pipe: Any) -> None:
    """Read the files of these numbers; say each one's outcome."""
    from fetalclip.io.dicom import read  # noqa: F401  (before the limits)

    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    found = seeds()
    for number in numbers:
        rng = random.Random(f"{seed} {number}")
        data = mutated(rng.choice(found), rng)
        signal.setitimer(signal.ITIMER_REAL, SECONDS)  # nobody listens: the process ends
        faulthandler.dump_traceback_later(SECONDS - 0.5, file=sys.stderr)  # where it was
        began = time.perf_counter()
        said = outcome(data)
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        pipe.send((number, said, time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
    pipe.close()


def run(count: int, seed: int) -> dict[str, Any]:
    """Outcomes by number of files, the slowest file and the most memory."""
    context, counts, slowest, most, bad = multiprocessing.get_context("fork"), Counter[str](), 0.0, 0, list[str]()
    left = list(range(count))
    while left:
        batch, left = left[:BATCH], left[BATCH:]
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(batch, seed, there))
        process.start()
        there.close()
        done = 0
        while True:
            try:
                number, said, seconds, kilobytes = here.recv()
            except EOFError:
                break
            done, slowest, most = done + 1, max(slowest, seconds), max(most, kilobytes)
            counts[said] += 1
            if said.startswith(("CRASH", "WITH")):
                bad.append(f"{number}: {said}")
        process.join()
        if done < len(batch):
            said = "HANG" if process.exitcode == -signal.SIGALRM else f"KILLED {process.exitcode}"
            counts[said] += 1
            bad.append(f"{batch[done]}: {said}")
            left = batch[done + 1 :] + left
        print(f"{count - len(left)} of {count}", file=sys.stderr)
    return {
        "files": count,
        "seed": seed,
        "outcomes": dict(counts.most_common()),
        "slowest_seconds": round(slowest, 3),
        "most_megabytes": round(most / 1024),
        "bad": bad,
    }


def main() -> int:
    """Print the outcomes; exit code 1 when one file crashed, hung or told an identifier."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    found = run(asked.count, asked.seed)
    text = json.dumps(found, indent=2)
    if asked.json:
        asked.json.write_text(text + "\n")
    print(text)
    return 1 if found["bad"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
