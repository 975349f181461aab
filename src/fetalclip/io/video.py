"""Videos through PyAV (FFmpeg): opened without trust, looked through once, then decoded frame by frame.

FFmpeg is given an open file and the one container its content announces. It may open nothing else: no playlist, no
linked file, no network. It decodes on one thread: damaged files then fail in the same place each time, and no thread of
FFmpeg can be waited for while Python's lock is held.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, BinaryIO

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from fetalclip.errors import InputTooLarge, UnreadableInput
from fetalclip.frame import Frame, Shot
from fetalclip.io.formats import READABLE_CLIP
from fetalclip.io.video_pixels import Turn, degrees, to_pixels, turn_of, upright

MAX_PIXELS = 20_000_000
"""Most pixels (width times height) of a picture of a clip."""

MAX_FRAMES = 500_000
MAX_DECODED = 4 * 10**11
"""Most pictures of a clip, and most pixels of all of them together, that are decoded; the rest is left out and told."""

_DEMUXERS = {"MP4": "mov", "MOV": "mov", "MKV": "matroska", "AVI": "avi", "GIF": "gif"}
_SECONDS = 30.0  # after which opening, or reading one packet, is given up
Opener = Callable[[], BinaryIO]


@dataclass(frozen=True)
class Scan:
    """What the packets of a clip tell without decoding.

    Attributes:
        count: packets of pictures.
        rate: pictures per second, None when unknown.
        seconds: from the first picture to the end of the last, None when unknown.
        variable: whether the pictures are not evenly spaced.
    """

    count: int
    rate: float | None
    seconds: float | None
    variable: bool


class Video:
    """One video.

    Args:
        begin: opens the bytes anew.
        source: the path as given.
        label: what the clip is called in a message.
        form: one of ``formats.CLIPS`` that FFmpeg reads.
        warnings: the list to which what goes wrong is added, each message once.
    """

    def __init__(self, begin: Opener, source: str, label: str, form: str, warnings: list[str]) -> None:
        self.begin, self.source, self.label, self.form, self.warnings = begin, source, label, form, warnings
        self.limit = MAX_FRAMES
        self.rate: float | None = None
        self.seen: dict[str, Any] = {}  # pixel format, bits and rotation, once the first picture has been decoded

    @contextmanager
    def _opened(self) -> Iterator[tuple[InputContainer, VideoStream]]:
        """The container and its stream of pictures, sizes checked."""
        options = {"max_pixels": str(MAX_PIXELS), "threads": "1"}
        with self.begin() as file:
            try:
                container = av.open(
                    file,
                    "r",
                    format=_DEMUXERS[self.form],
                    options=options,
                    metadata_errors="replace",
                    timeout=(_SECONDS, _SECONDS),
                    io_open=_refuse,
                )
            except (av.FFmpegError, OSError, ValueError, MemoryError) as error:
                raise self._damaged() from error
            with container:
                stream = self._stream(container)
                stream.codec_context.options = options
                stream.codec_context.thread_count = 1
                yield container, stream

    def _stream(self, container: InputContainer) -> VideoStream:
        streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if not streams:
            found = "sound and no pictures" if container.streams.audio else "no pictures"
            raise UnreadableInput(f"{self.label} has {found}", READABLE_CLIP, "choose the file with the pictures")
        stream = streams[0]
        if len(streams) > 1:
            self.tell(f"the file has {len(streams)} streams of pictures; the first is read")
        if stream.codec_context is None:
            raise UnreadableInput(
                f"{self.label} holds pictures of a codec that is not known", READABLE_CLIP, "export it as H.264 MP4"
            )
        width, height = stream.codec_context.width, stream.codec_context.height
        if not width * height:  # FFmpeg's own guard forgets a size above the limit
            raise UnreadableInput(
                f"{self.label} tells no size of its pictures, or one above {MAX_PIXELS // 1_000_000} megapixels",
                READABLE_CLIP,
                "export it smaller, as H.264 MP4",
            )
        if width * height > MAX_PIXELS:
            raise InputTooLarge(
                f"{self.label} announces {width} x {height} pixels",
                f"a clip of at most {MAX_PIXELS // 1_000_000} megapixels",
                "export it smaller",
            )
        return stream

    def tell(self, warning: str) -> None:
        """Add a warning, once."""
        if warning not in self.warnings:
            self.warnings.append(warning)

    def scan(self) -> tuple[Scan, dict[str, Any], list[str]]:
        """Look through the packets.

        Returns:
            scan: see `Scan`.
            info: codec and, of pixels that are not square, their aspect.
            fields: names of the metadata fields of the file.

        Raises:
            UnreadableInput, InputTooLarge: as ``read_cine``.
        """
        times, untimed, last = array("q"), 0, 0
        with self._opened() as (container, stream):
            context = stream.codec_context
            info: dict[str, Any] = {"codec": context.name}
            aspect = stream.sample_aspect_ratio
            if aspect and aspect > 0 and aspect != 1:
                info["pixel_aspect"] = float(aspect)
                self.tell(f"pixels are not square (width to height {float(aspect):.3f}); they are used as stored")
            fields = sorted({*container.metadata, *stream.metadata})
            cut = False
            try:
                for packet in container.demux(stream):
                    if not packet.size or packet.is_discard:
                        continue
                    if packet.pts is None:
                        untimed += 1
                    else:
                        times.append(packet.pts)
                        last = packet.duration or 0 if packet.pts >= max(times[-2:]) else last
                    if len(times) + untimed >= MAX_FRAMES:
                        break
            except (av.FFmpegError, OSError, ValueError):
                cut = True
            base = stream.time_base or Fraction(0)
            announced = stream.frames, _announced(container, stream)
            rate = stream.average_rate
        scan = _summary(np.sort(np.asarray(times, np.int64)), untimed, float(base), last, rate)
        if missing := announced[0] - scan.count if scan.count < MAX_FRAMES else 0:
            cut |= missing > 0
        if scan.seconds is not None and announced[1] and scan.count < MAX_FRAMES and not announced[0]:
            cut |= scan.seconds < 0.98 * announced[1] - 2 / (scan.rate or 25)
        if cut:
            told = f"{scan.count} of {announced[0]} pictures" if missing > 0 else f"{scan.count} pictures"
            self.tell(f"the file is truncated or damaged: {told} are there")
        if scan.variable:
            self.tell("the clip has a variable rate: use the time of each picture and not its number")
        self.rate = scan.rate
        return scan, info, fields

    def shots(self) -> Generator[Shot, None, None]:
        """The pictures in order of presentation, upright, one at a time.

        Raises:
            UnreadableInput: not one picture could be decoded.
        """
        index, before = 0, -math.inf
        size: tuple[int, int] | None = None
        turn: Turn | None = None
        with self._opened() as (container, stream):
            base = stream.time_base
            for decoded in self._decoded(container, stream):
                if index >= self.limit:
                    self.tell(f"the clip is longer than is read: {index} pictures were")
                    break
                try:
                    # once: asking for side data ties a picture to itself, and it is freed late
                    turn = turn or turn_of(decoded)
                    pixels = upright(to_pixels(decoded), turn)
                except (av.FFmpegError, ValueError, MemoryError):
                    self.tell(f"pictures of the pixel format {decoded.format.name} could not be converted")
                    continue
                frame = Frame(pixels, None, self.source, {"format": self.form})
                if size is None:
                    size = (frame.width, frame.height)
                    bits = max((part.bits for part in decoded.format.components), default=8)
                    self.seen = {"pixel_format": decoded.format.name, "bits": bits, "rotation": degrees(turn)}
                if (frame.width, frame.height) != size:
                    self.tell(f"the size changes after {index} pictures; the rest is left out")
                    break
                seconds = self._seconds(decoded.pts, base, index)
                if seconds < before:
                    self.tell("the times of the pictures go backwards")
                before = seconds
                yield Shot(index, seconds, frame)
                index += 1
        if not index:
            raise UnreadableInput(
                f"not one picture of {self.label} could be decoded", READABLE_CLIP, "export the clip again"
            )

    def _decoded(self, container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError, ValueError):  # the container breaks off: what is in the decoder comes out
                self.tell("the file breaks off")
                packet = None
            try:
                frames = stream.codec_context.decode(packet if packet is not None and packet.size else None)
            except EOFError:
                return
            except (av.FFmpegError, ValueError, MemoryError):
                self.tell("some pictures are damaged and left out")
                frames = []
            for frame in frames:
                if frame.is_corrupt:
                    self.tell("some pictures are damaged in part")
                yield frame
            if packet is None or not packet.size:
                return

    def _seconds(self, pts: int | None, base: Fraction | None, index: int) -> float:
        if pts is not None and base:
            return float(pts * base)
        if self.rate is None:
            self.tell("the clip tells neither times nor a rate")
            return math.nan
        self.tell("some pictures have no time of their own: it is reckoned from the rate")
        return index / self.rate

    def _damaged(self) -> UnreadableInput:
        return UnreadableInput(
            f"{self.label} starts like a clip ({self.form}) but is truncated, damaged or no clip at all",
            READABLE_CLIP,
            "copy the file again, or export the clip as H.264 MP4",
        )


def _refuse(url: str, flags: int, options: dict[str, str]) -> Any:
    raise PermissionError("a clip may not open other files")


def _announced(container: InputContainer, stream: VideoStream) -> float | None:
    """Seconds that the header announces, or None."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def _summary(times: Any, untimed: int, base: float, last: int, told: Fraction | None) -> Scan:
    """Rate, length and evenness of sorted times in ticks of ``base`` seconds."""
    rate = float(told) if told else None
    count = len(times) + untimed
    if len(times) < 2 or times[-1] == times[0] or not base:
        return Scan(count, rate, count / rate if rate else None, False)
    steps = np.diff(times)
    step = (times[-1] - times[0]) / len(steps)  # ticks
    drift = times - times[0] - step * np.arange(len(times))
    variable = bool(np.ptp(drift) > 1.01 or steps.max() > 1.5 * step)  # one tick is rounding
    measured = 1 / (step * base)
    if rate is None or variable or abs(measured - rate) > 0.01 * rate:
        rate = measured if not untimed else rate
    seconds = float(times[-1] - times[0] + (last or step)) * base
    return Scan(count, rate, seconds, variable)
