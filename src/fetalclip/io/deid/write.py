"""One file, whole: a clean header, blanked pixels, written, checked, and only then put in its place."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fetalclip.errors import NotVerified, OutputError, UnreadableInput
from fetalclip.io.deid.actions import Choices
from fetalclip.io.deid.beyond import beyond
from fetalclip.io.deid.blank import Box, Window, blanked, seen_sector, steady, text_boxes, window
from fetalclip.io.deid.header import Cleaned, clean
from fetalclip.io.deid.key import Key
from fetalclip.io.deid.pixels import Form, Stored, form_of, frames_of
from fetalclip.io.deid.secrets import Search
from fetalclip.io.deid.source import open_source, trusting_nothing
from fetalclip.io.deid.told import complete, known, save
from fetalclip.io.deid.verify import Checked, verify
from fetalclip.io.dicom import values
from fetalclip.io.dicom.read import Opened
from fetalclip.io.source import shown
from fetalclip.overlay.raster import Mask, boxes


@dataclass(frozen=True)
class Written:
    """A file that was written and checked.

    Attributes:
        place: where it stands, relative to the folder.
        pseudonym: of the patient.
        verified: whether all that can be checked was, and nothing identifying was found. False when text was left in,
            when no region told where the scan lies, or when letters stood inside one: they were blanked, but where
            some are others may be, that the same finder does not see.
        frames: how many.
        regions: boxes that were kept, x0, y0, x1, y1, half open.
        text: boxes of letters that were blanked inside them, over all frames, each once.
        kept: share of the picture that was kept, 0 to 1, letters not counted.
        removed, replaced: elements of the header by keyword.
        checked: what the check found.
        sha256: of the file.
    """

    place: str
    pseudonym: str
    verified: bool
    frames: int
    regions: tuple[Box, ...]
    text: tuple[Box, ...]
    kept: float
    removed: dict[str, int]
    replaced: dict[str, int]
    checked: Checked
    sha256: str

    def to_dict(self) -> dict[str, Any]:
        """The facts for the audit log; none of them identifies anybody."""
        return {**vars(self), "checked": vars(self.checked)}


@dataclass
class _Job:
    """One file on its way; ``letters`` of each frame are filled in while it is written."""

    opened: Opened
    form: Form
    cleaned: Cleaned
    window: Window
    choices: Choices
    steady: Mask
    letters: list[tuple[Box, ...]] = field(default_factory=list)

    def kept(self, index: int) -> Mask:
        """The pixels of a frame that stay."""
        mask = self.window.mask & ~self.steady
        for x0, y0, x1, y1 in self.letters[index]:
            mask[y0:y1, x0:x1] = False
        return mask

    @property
    def lettered(self) -> bool:
        """Whether letters stood inside the window of any frame: then others may have been missed."""
        return bool(self.steady.any()) or any(self.letters)

    @property
    def doubted(self) -> bool:
        """Whether somebody de-identified the file before and could not say that no text is left: nor can we."""
        told = [
            values.text(self.opened.header.dataset, word) for word in ("PatientIdentityRemoved", "BurnedInAnnotation")
        ]
        return told[0] == "YES" and told[1] != "NO"

    def frames(self) -> Iterator[Stored]:
        """The frames as they are to be; letters are looked for on the way."""
        for index, frame in enumerate(frames_of(self.opened, self.form)):
            if index == len(self.letters):
                mask = self.window.mask & ~self.steady
                seen = [] if self.choices.keep_text else text_boxes(frame, self.form, mask)
                self.letters.append(tuple(seen))
            yield blanked(frame, self.form, self.kept(index))

    def meant(self) -> Iterator[tuple[Stored, Mask]]:
        """The frames again, with the pixels of each that stay."""
        for index, frame in enumerate(self.frames()):
            yield frame, self.kept(index)


def deidentify(
    source: Path, folder: Path, key: Key, choices: Choices, taken: Mapping[str, str] | None = None
) -> Written:
    """De-identify one file into a folder that is there.

    Args:
        source: the file.
        folder: where it goes, below patient and study.
        key: makes the pseudonyms.
        choices: what is kept.
        taken: places of other files of this run, with their SHA-256; they are not replaced by something else.

    Raises:
        NotDicom: the file is of another kind.
        InputError: it cannot be read, has the UID of another file, or the result could not be proved clean; nothing is
            left of it then.
        OutputError: it cannot be written.
    """
    label = shown(str(source))
    with trusting_nothing(label):
        opened = open_source(source)
        form, first = form_of(opened)
        sector = _sector(opened, form, first, key) if choices.without_regions else None
        found = window(opened.header.dataset, form, sector)
        if found is None:
            raise NotVerified(
                f"no ultrasound region of {label} tells where the scan lies, so that nobody can say what is burned in",
                "2D regions that leave a part of the picture out",
                "--without-regions mask, and a look at every picture",
            )
        still = found.mask & False if choices.keep_text else steady(frames_of(opened, form), form, found.mask)
        job = _Job(opened, form, clean(opened.header.dataset, key, choices, beyond(opened)), found, choices, still)
        try:
            handle, name = tempfile.mkstemp(prefix=".unfinished-", suffix=".dcm", dir=folder)
            os.close(handle)
            part = Path(name)
            try:
                return _write(job, part, folder, taken or {})
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"-o {shown(str(folder))} cannot be written to ({error.strerror})") from None


def _sector(opened: Opened, form: Form, first: Stored, key: Key) -> Mask:
    """The imaged area as it is seen. Of what this key has written it is the whole picture: it was blanked before, and
    what is seen of a blanked sector is a little less."""
    told = [
        values.text(opened.header.dataset, keyword) for keyword in ("PatientID", "StudyInstanceUID", "SOPInstanceUID")
    ]
    if key.made_name(told[0]) and all(map(key.made_uid, told[1:])):
        return np.ones((form.height, form.width), dtype=bool)
    return seen_sector(first, form)


def _write(job: _Job, part: Path, folder: Path, taken: Mapping[str, str]) -> Written:
    with tempfile.TemporaryFile(dir=folder) as pixels:
        for frame in job.frames():
            pixels.write(frame.tobytes())
        if pixels.tell() % 2:
            pixels.write(b"\0")
        pixels.seek(0)
        verified = job.window.told and not job.choices.keep_text and not (job.lettered or job.doubted)
        new = complete(job.cleaned, job.opened.header.sop_class, job.form, job.choices, verified)
        save(new, pixels, job.form, part)
    search = Search(job.cleaned.secrets, known(new, job.cleaned, job.choices), job.cleaned.others)
    checked = verify(part, job.meant(), job.form, search, job.choices.keep_text)
    digest = hashlib.sha256(part.read_bytes()).hexdigest()
    place = Path(job.cleaned.pseudonym, str(new.StudyInstanceUID), f"{new.SOPInstanceUID}.dcm")
    if taken.get(place.as_posix(), digest) != digest:
        found = f"{job.opened.header.label} has the UID of another file that was written before and differs"
        raise UnreadableInput(found, "a UID for each picture", "leave out one of them, or another -o for it")
    _put(part, folder / place)
    standing = {(x0, y0, x1, y1) for y0, x0, y1, x1 in boxes(job.steady)}
    return Written(
        place.as_posix(),
        job.cleaned.pseudonym,
        verified,
        job.form.frames,
        job.window.boxes,
        tuple(sorted(standing.union(*job.letters))),
        round(float(job.window.mask.mean()), 4),
        dict(sorted(job.cleaned.removed.items())),
        dict(sorted(job.cleaned.replaced.items())),
        checked,
        digest,
    )


def _put(part: Path, place: Path) -> None:
    """Move a finished file into its place, with the permissions of an ordinary new file."""
    place.parent.mkdir(parents=True, exist_ok=True)
    mask = os.umask(0o077)
    os.umask(mask)
    os.chmod(part, 0o666 & ~mask)
    os.replace(part, place)
