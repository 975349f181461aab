"""Tracks are kept on disk: what comes back is what was kept, and what is damaged is made anew."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fetalclip import api
from fetalclip.encoder import Encoder
from fetalclip.errors import OutputError, UnreadableInput
from fetalclip.fit.clips import Clip
from fetalclip.fit.tracks import track_of, tracks_of
from fetalclip.frame import Frame
from fetalclip.tasks.sight import Sight
from fetalclip.tasks.track import Eye, Track, shots_of

SIGHT = Sight("keep", grids={3: 2})
COUNT = 3


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    with pytest.warns(UserWarning, match="RANDOM"):
        return api.load("fetalclip-tiny").encoder


def clip(seed: int = 0) -> Clip:
    rng = np.random.default_rng(seed)
    frames = [Frame(rng.integers(0, 255, (40, 50)).astype(np.uint8)) for _ in range(COUNT)]
    return Clip(lambda: shots_of(frames), "p", np.zeros(0), None, f"clip {seed}")


class Counted(Eye):
    """An eye that counts what it looks at, and says what a locator would."""

    looks = 0

    def __call__(self, shots, marks=None) -> Track:
        self.looks += 1
        return replace(super().__call__(shots, marks), facts=np.linspace(-1, 1, 5).astype(np.float32))


def same(one: Track, other: Track) -> None:
    for name in ("embeddings", "seconds", "index", "details", "facts"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
        assert getattr(one, name).dtype == getattr(other, name).dtype
    assert one.timed == other.timed


def test_a_track_comes_back_to_the_last_bit(encoder, tmp_path):
    eye = Counted(encoder, SIGHT)
    made, kept = track_of(eye, clip(), tmp_path), track_of(eye, clip(), tmp_path)
    assert eye.looks == 1
    same(kept, made)
    assert made.details.shape == (COUNT, 24 * 2 * 2)
    fresh = track_of(eye, clip(), None)
    np.testing.assert_array_equal(made.embeddings, fresh.embeddings)
    np.testing.assert_array_equal(made.facts, fresh.facts)
    np.testing.assert_allclose(made.details, fresh.details, rtol=1e-3, atol=1e-4)  # kept at half precision
    np.testing.assert_array_equal(made.seen, kept.seen)


def test_another_clip_or_another_sight_is_kept_apart(encoder, tmp_path):
    track_of(Counted(encoder, SIGHT), clip(), tmp_path)
    for eye, other in ((Counted(encoder, Sight("keep")), clip()), (Counted(encoder, SIGHT), clip(1))):
        track_of(eye, other, tmp_path)
        assert eye.looks == 1
    assert len(list(tmp_path.iterdir())) == 3
    plain = track_of(Counted(encoder, Sight("keep")), clip(), tmp_path)
    assert plain.details.shape == (COUNT, 0)


def _change(file: Path, **parts: np.ndarray | None) -> None:
    with np.load(file) as data:
        told = {**data, **parts}
    np.savez(file, **{name: part for name, part in told.items() if part is not None})


DAMAGE = {
    "empty": lambda file: file.write_bytes(b""),
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-100]),
    "no archive": lambda file: file.write_bytes(b"not an archive" * 100),
    "one array": lambda file: file.write_bytes(_npy(np.zeros(3))),
    "an empty archive": lambda file: zipfile.ZipFile(file, "w").close(),
    "no facts": lambda file: _change(file, facts=None),
    "objects": lambda file: _change(file, facts=np.array([{}], dtype=object)),
    "words": lambda file: _change(file, facts=np.array(["a", "b"])),
    "words for times": lambda file: _change(file, seconds=np.array(["a", "b", "c"])),
    "NaN": lambda file: _change(file, embeddings=np.full((COUNT, 16), np.nan, np.float32)),
    "NaN for a time": lambda file: _change(file, seconds=np.array([0, np.nan, 1])),
    "another width": lambda file: _change(file, embeddings=np.zeros((COUNT, 15), np.float32)),
    "one frame less": lambda file: _change(file, details=np.zeros((COUNT - 1, 4), np.float16)),
    "no frame": lambda file: _change(file, index=np.zeros(0, np.int64)),
    "a number for a list": lambda file: _change(file, index=np.array(3)),
    "many for one": lambda file: _change(file, timed=np.array([True, False])),
}


def _npy(array: np.ndarray) -> bytes:
    import io

    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_made_anew(encoder, tmp_path, damage):
    eye = Counted(encoder, SIGHT)
    made = track_of(eye, clip(), tmp_path)
    (file,) = tmp_path.iterdir()
    DAMAGE[damage](file)
    same(track_of(eye, clip(), tmp_path), made)
    assert eye.looks == 2
    same(track_of(eye, clip(), tmp_path), made)
    assert eye.looks == 2  # the new file is whole


def test_no_changed_byte_stops_a_training(encoder, tmp_path):
    eye = Counted(encoder, Sight("keep"))
    made = track_of(eye, clip(), tmp_path)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    eye.__class__ = Kept
    eye.track = made
    rng = np.random.default_rng(0)
    for _ in range(100):
        data = bytearray(whole)
        data[int(rng.integers(len(data)))] ^= int(rng.integers(1, 256))
        file.write_bytes(data)
        same(track_of(eye, clip(), tmp_path), made)


class Kept(Counted):
    """Looks at nothing again."""

    track: Track

    def __call__(self, shots, marks=None) -> Track:
        return self.track


def test_a_clip_that_cannot_be_read_is_named_by_its_place(encoder, tmp_path):
    eye, empty = Counted(encoder, SIGHT), replace(clip(1), open=lambda: iter(()))
    with pytest.raises(UnreadableInput, match="clip 2 of 3: a clip without frames"):
        tracks_of(eye, [clip(0), empty, clip(2)], None)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        tracks_of(eye, [clip()], tmp_path / "file")
