"""Clips: by content, streamed, with the times of the file; and what is wrong with them, told."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import wave
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import fetalclip
from fetalclip.errors import FetalclipError, InputError, InputTooLarge, UnreadableInput, UsageError
from fetalclip.frame import Cine
from fetalclip.io import inspect, is_clip, read, read_at, read_cine, read_sequence

Make = Callable[..., bytes]

KINDS = [
    ("mp4", "libx264", "yuv420p", "MP4", 8),
    ("mov", "mjpeg", "yuvj420p", "MOV", 8),
    ("mov", "prores_ks", "yuv422p10le", "MOV", 10),
    ("mov", "png", "rgb48be", "MOV", 16),
    ("mov", "qtrle", "argb", "MOV", 8),
    ("matroska", "ffv1", "gray", "MKV", 8),
    ("matroska", "ffv1", "gray10le", "MKV", 10),
    ("matroska", "ffv1", "yuv444p16le", "MKV", 16),
    ("webm", "libvpx-vp9", "yuv420p", "MKV", 8),
    ("avi", "mpeg4", "yuv420p", "AVI", 8),
    ("avi", "rawvideo", "bgr24", "AVI", 8),
    ("avi", "msvideo1", "rgb555le", "AVI", 5),
    ("gif", "gif", "rgb8", "GIF", 8),
]


@pytest.mark.parametrize(("container", "codec", "form", "kind", "bits"), KINDS)
def test_every_kind_gives_its_pictures(
    encode_clip: Make, container: str, codec: str, form: str, kind: str, bits: int
) -> None:
    cine = read_cine(encode_clip(container, codec, form))
    assert (cine.width, cine.height, cine.count) == (96, 64, 12)
    assert (cine.info["format"], cine.info["bits"], cine.warnings) == (kind, bits, ())
    assert cine.rate == pytest.approx(30, rel=0.02)
    shots = list(cine)
    assert [shot.index for shot in shots] == list(range(12))
    exact = np.arange(12) / 30
    coarse = {"MKV": 0.0006, "GIF": 0.011}.get(kind, 0)  # a Matroska tick is 1 ms, a GIF's 10 ms
    assert np.abs(np.array([shot.seconds for shot in shots]) - exact).max() <= coarse
    for shot in shots[::5]:
        gray = shot.frame.gray.astype(int)
        assert abs(gray[10, 20] - 240) < 24  # 8 colours of red and green in a GIF made of rgb8
        assert gray[10, 80] < 12
        assert abs(gray[-4, 4 * shot.index + 2] - 120) < 24


@pytest.mark.parametrize("form", ["gray", "gray10le", "yuv420p", "yuv420p10le", "yuv444p"])
def test_grey_is_grey_and_uses_the_whole_range(encode_clip: Make, form: str) -> None:
    def ramp(index: int, width: int, height: int) -> np.ndarray:
        return np.repeat(np.broadcast_to(np.linspace(0, 255, width).astype(np.uint8), (height, width))[..., None], 3, 2)

    pixels = next(iter(read_cine(encode_clip("matroska", "ffv1", form, count=1, draw=ramp)))).frame.pixels
    assert pixels.ndim == 2
    assert np.abs(pixels[5].astype(int) - np.linspace(0, 255, 96).astype(int)).max() <= 2


def test_colour_stays(encode_clip: Make) -> None:
    def doppler(index: int, width: int, height: int) -> np.ndarray:
        pixels = np.zeros((height, width, 3), np.uint8)
        pixels[:, :32, 0] = 200
        return pixels

    pixels = next(iter(read_cine(encode_clip(draw=doppler)))).frame.pixels
    assert pixels.shape == (64, 96, 3)
    assert np.abs(pixels[30, 10].astype(int) - (200, 0, 0)).max() < 12


def test_odd_sizes(encode_clip: Make) -> None:
    cine = read_cine(encode_clip("matroska", "ffv1", "yuv420p", size=(101, 77), count=3))
    assert [shot.frame.pixels.shape[:2] for shot in cine] == [(77, 101)] * 3


@pytest.mark.skipif(not hasattr(av.VideoStream, "set_display_rotation"), reason="this PyAV writes no display matrix")
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_turned_clip_comes_upright(encode_clip: Make, turn: int) -> None:
    """The display matrix turns anticlockwise, like ``numpy.rot90``."""
    plain = next(iter(read_cine(encode_clip("mov", "png", "rgb24", count=1)))).frame.gray
    cine = read_cine(encode_clip("mov", "png", "rgb24", count=1, turn=turn))
    assert cine.info["rotation"] == -turn % 360
    assert (cine.height, cine.width) == np.rot90(plain, turn // 90).shape
    np.testing.assert_array_equal(next(iter(cine)).frame.gray, np.rot90(plain, turn // 90))


def test_variable_rate_is_told_and_times_are_exact(encode_clip: Make) -> None:
    times = [0, 1, 2, 7, 8, 20]
    cine = read_cine(encode_clip(count=6, times=times))
    assert cine.info["variable_rate"] is True
    assert any("variable rate" in said for said in cine.warnings)
    assert [shot.seconds for shot in cine] == [tick / 30 for tick in times]
    assert cine.rate == pytest.approx(5 / (20 / 30))


def test_one_picture(encode_clip: Make) -> None:
    cine = read_cine(encode_clip(count=1))
    assert (cine.count, len(list(cine))) == (1, 1)


def test_every_iteration_begins_anew(encode_clip: Make, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"  # the suffix says nothing
    path.write_bytes(encode_clip())
    cine = read_cine(path, mm_per_pixel=0.2)
    assert cine.source == str(path)
    one, two = iter(cine), iter(cine)
    next(one)
    next(one)
    assert next(two).index == 0
    assert next(one).index == 2
    assert len(list(cine)) == len(list(cine)) == 12
    assert cine.mm_per_pixel == next(iter(cine)).frame.mm_per_pixel == (0.2, 0.2)


def test_memory_does_not_grow_with_the_clip(encode_clip: Make, tmp_path: Path) -> None:
    """The peak of a process of its own, FFmpeg's memory included; a picture of this size has 1.4 MB in FFmpeg."""
    code = """
import resource, sys
from fetalclip.io import read_cine
assert sum(1 for _ in read_cine(sys.argv[1])) == int(sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    peaks = []
    for count in (10, 90):
        path = tmp_path / f"{count}.avi"
        path.write_bytes(encode_clip("avi", "mpeg4", count=count, size=(1280, 720)))
        done = subprocess.run(
            [sys.executable, "-c", code, path, str(count)], capture_output=True, text=True, check=True
        )
        peaks.append(int(done.stdout) / (1e6 if sys.platform == "darwin" else 1e3))  # MB
    assert peaks[1] < peaks[0] + 25  # 80 pictures more would be 110 MB and more


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_animated_png_and_webp(form: str) -> None:
    pictures = [Image.new("L", (20, 10), grey) for grey in (10, 120, 240)]
    out = io.BytesIO()
    pictures[0].save(
        out,
        form,
        save_all=True,
        append_images=pictures[1:],
        duration=[40, 40, 40],
        **({"lossless": True} if form == "WEBP" else {}),
    )
    cine = read_cine(out.getvalue())
    assert (cine.width, cine.height, cine.count) == (20, 10, 3)
    assert [int(shot.frame.gray[5, 5]) for shot in cine] == [10, 120, 240]
    assert [shot.seconds for shot in cine] == [0.0, 0.04, 0.08]
    assert (cine.rate, cine.info["seconds"]) == (pytest.approx(25), pytest.approx(0.12))
    assert read(out.getvalue()).info["pages"] == 3  # a still reader takes its first picture


def test_sequence_in_the_order_of_numbers(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        Image.new("L", (8, 6), number).save(tmp_path / f"frame{number}.png")
    (tmp_path / ".hidden").write_text("x")
    cine = read_sequence(tmp_path, rate=20, mm_per_pixel=0.1)
    assert [int(shot.frame.pixels[0, 0]) for shot in cine] == [1, 2, 10]
    assert [shot.seconds for shot in cine] == [0, 0.05, 0.1]
    assert (cine.count, cine.rate, cine.mm_per_pixel) == (3, 20, (0.1, 0.1))
    listed = read_sequence([tmp_path / "frame10.png", tmp_path / "frame1.png"], rate=20)
    assert [int(shot.frame.pixels[0, 0]) for shot in listed] == [10, 1]


def test_bad_sequences(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        read_sequence([], rate=30)
    with pytest.raises(UnreadableInput, match="folder"):
        read_sequence(tmp_path / "none", rate=30)
    Image.new("L", (8, 6)).save(tmp_path / "a.png")
    with pytest.raises(UsageError, match="rate"):
        read_sequence(tmp_path, rate=0)
    Image.new("L", (9, 6)).save(tmp_path / "b.png")
    with pytest.raises(UnreadableInput, match="9 x 6"):
        read_sequence(tmp_path, rate=30)
    (tmp_path / "b.png").write_text("words")
    with pytest.raises(UnreadableInput, match="text"):
        read_sequence(tmp_path, rate=30)


def sound() -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as target:
        stream = target.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 44100, 0
        target.mux(stream.encode(frame))
        target.mux(stream.encode())
    return out.getvalue()


def wav() -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(8000)
        target.writeframes(b"\0" * 100)
    return out.getvalue()


BAD = {
    "empty": (b"", "empty"),
    "text": (b"this is no clip", "text"),
    "playlist": (b"#EXTM3U\n#EXTINF:1,\nhttp://example.invalid/a.ts\n", "text"),
    "concat": (b"ffconcat version 1.0\nfile /etc/passwd\n", "text"),
    "sound file": (wav(), "sound"),
    "sound in MP4": (sound(), "sound and no pictures"),
    "still": (b"\xff\xd8\xff\xe0" + b"\0" * 40, "fetalclip.read"),
    "MP4 start": (b"\0\0\0\x20ftypisom" + b"\0" * 60, "damaged"),
    "Matroska start": (b"\x1aE\xdf\xa3" + b"\x42" * 60, "damaged|no pictures|not one picture"),
    "AVI start": (b"RIFF\0\0\0\0AVI LIST", "damaged|no pictures|not one picture"),
    "GIF start": (b"GIF89a\x08\0\x08\0\0\0\0", "damaged|no pictures|not one picture"),
    "AVIF": (b"\0\0\0\x20ftypavif" + b"\0" * 60, "AVIF"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_clip(name: str, tmp_path: Path) -> None:
    data, says = BAD[name]
    path = tmp_path / "clip.mp4"
    path.write_bytes(data)
    for source in (path, data):
        with pytest.raises(UnreadableInput, match=says):
            read_cine(source)


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "none", tmp_path / "pipe"):
        with pytest.raises(UnreadableInput):
            read_cine(path)
        assert not is_clip(path)
    with pytest.raises(UsageError):
        read_cine(3)  # type: ignore[arg-type]


def test_a_reference_to_another_file_is_not_followed(encode_clip: Make, tmp_path: Path) -> None:
    """A QuickTime file may name a file that holds its samples; here that would be a clip that can be read."""
    data = encode_clip("mov", "png", "rgb24", count=1)
    here = data.find(b"url ", data.find(b"dref"))
    assert here > 0
    linked = data[: here + 4] + b"\0\0\0\0" + data[here + 8 :]  # flag 1, "in this same file", taken away
    (tmp_path / "a.mov").write_bytes(linked)
    code = f"""
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(args[0]) if event == "open" else None)
from fetalclip.io import read_cine
import av
opened.clear()
list(read_cine({str(tmp_path / "a.mov")!r}))
print({{str(o) for o in opened if not str(o).endswith((".py", ".pyc", ".so", ".pyi"))}})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str({str(tmp_path / "a.mov")})


def test_huge_pictures_are_refused_before_decoding() -> None:
    gif = b"GIF89a" + struct.pack("<HH", 60000, 60000) + b"\0\0\0\x2c" + struct.pack("<HHHH", 0, 0, 60000, 60000)
    with pytest.raises(InputError):
        read_cine(gif + b"\0\x02\x02L\x01\0;")
    head = struct.pack(">II", 20000, 20000)
    with pytest.raises(InputTooLarge, match="20000 x 20000"):
        read_cine(
            b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" + head + b"\x08\0\0\0\0" + b"\0" * 4 + b"\0\0\0\x08acTL" + b"\0" * 12
        )


def test_a_clip_above_the_limit_is_refused(encode_clip: Make) -> None:
    def black(index: int, width: int, height: int) -> np.ndarray:
        return np.zeros((height, width, 3), np.uint8)

    data = encode_clip("avi", "mpeg4", count=1, size=(6000, 4000), draw=black)
    with pytest.raises(InputError, match="20 megapixels"):
        read_cine(data)


@pytest.mark.parametrize("container", ["mp4", "matroska", "avi", "gif"])
def test_a_truncated_clip_gives_what_is_there_and_says_so(encode_clip: Make, container: str) -> None:
    def noise(index: int, width: int, height: int) -> np.ndarray:
        return np.random.default_rng(index).integers(0, 255, (height, width, 3), dtype=np.uint8)

    codec, form = {"avi": ("mpeg4", "yuv420p"), "gif": ("gif", "rgb8")}.get(container, ("libx264", "yuv420p"))
    options = {"movflags": "frag_keyframe+empty_moov"} if container == "mp4" else {}
    whole = encode_clip(container, codec, form, count=30, draw=noise, options=options)
    if container == "mp4":  # its index comes first only when the file is written in pieces
        whole = faststart(encode_clip)
    cine = read_cine(whole[: len(whole) * 6 // 10])
    found = len(list(cine))
    assert 5 <= found < 30
    if container != "gif":  # a GIF announces neither pictures nor length
        assert any("truncated" in said or "damaged" in said for said in cine.warnings)


def faststart(encode_clip: Make) -> bytes:
    """An MP4 whose index stands before its pictures."""

    def noise(index: int, width: int, height: int) -> np.ndarray:
        return np.random.default_rng(index).integers(0, 255, (height, width, 3), dtype=np.uint8)

    path = Path(os.environ["FETALCLIP_CACHE"]) / "fast.mp4"
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as target:
        stream = target.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.thread_count = 1
        for index in range(30):
            target.mux(stream.encode(av.VideoFrame.from_ndarray(noise(index, 96, 64), format="rgb24")))
        target.mux(stream.encode())
    return path.read_bytes()


WHOLE: dict[str, bytes] = {}


@pytest.mark.parametrize(("container", "codec", "form"), [kind[:3] for kind in KINDS if kind[1] != "libvpx-vp9"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.floats(0, 1), flips=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=20))
def test_damage_anywhere_is_an_error_or_pictures(
    encode_clip: Make, container: str, codec: str, form: str, cut: float, flips: list[tuple[float, int]]
) -> None:
    """Cut at any byte and with any bytes changed: a clip or an error of ours, never anything else."""
    whole = WHOLE.setdefault(codec + form, b"") or WHOLE.update({codec + form: encode_clip(container, codec, form)})
    data = bytearray((whole or WHOLE[codec + form])[: int(cut * len(WHOLE[codec + form]))])
    for at, value in flips:
        if data:
            data[int(at * len(data))] = value
    try:
        cine = read_cine(bytes(data))
        shots = list(cine)
    except FetalclipError:
        return
    assert shots
    assert {(shot.frame.width, shot.frame.height) for shot in shots} == {(cine.width, cine.height)}


def test_cine_of_pictures() -> None:
    pictures = [np.full((4, 6), grey, np.uint8) for grey in (1, 2, 3)]
    cine = Cine.of(pictures, 25, mm_per_pixel=(0.1, 0.2), source="made")
    assert (cine.width, cine.height, cine.count, cine.rate, cine.source) == (6, 4, 3, 25, "made")
    assert [(shot.index, shot.seconds, int(shot.frame.pixels[0, 0])) for shot in cine] == [
        (0, 0.0, 1),
        (1, 0.04, 2),
        (2, 0.08, 3),
    ]
    assert Cine.of(lambda: iter(pictures), 25).count is None
    assert len(list(Cine.of(lambda: iter(pictures), 25))) == 3
    with pytest.raises(UsageError):
        Cine.of([], 25)
    with pytest.raises(UsageError):
        Cine.of(pictures, float("nan"))
    with pytest.raises(UsageError, match="picture 1"):
        list(Cine.of([pictures[0], np.zeros((5, 6), np.uint8)], 25))


def test_info_of_a_clip(encode_clip: Make, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(encode_clip())
    found = inspect(path)
    assert (found["kind"], found["format"], found["mode"]) == ("cine", "MP4", "h264 yuv420p")
    assert (found["frames"], found["rate"], found["width"], found["height"]) == (12, 30, 96, 64)
    assert found["seconds"] == pytest.approx(0.4)
    assert (found["identifiers"], found["error"]) == ([], None)
    path.write_bytes(sound())
    assert "sound" in inspect(path)["error"]


def test_metadata_of_a_clip_is_named_and_never_told(encode_clip: Make) -> None:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as target:
        target.metadata["title"] = "Jane Roe"
        stream = target.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        target.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        target.mux(stream.encode())
    found = inspect(out.getvalue())
    assert found["identifiers"] == ["title"]
    assert "Jane" not in repr(found)


def test_reading_a_clip_as_a_still_says_what_to_call(encode_clip: Make) -> None:
    for kind in (("mp4", "libx264", "yuv420p"), ("gif", "gif", "rgb8"), ("avi", "mpeg4", "yuv420p")):
        with pytest.raises(UnreadableInput, match="read_cine"):
            fetalclip.read(encode_clip(*kind, count=2))


def test_one_picture_of_a_clip(encode_clip: Make) -> None:
    data = encode_clip()
    assert np.array_equal(read_at(data, 7).pixels, read_cine(data).at(7).frame.pixels)
    with pytest.raises(UnreadableInput, match="no picture 12"):
        read_at(data, 12)
