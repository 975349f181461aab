"""What a command writes besides its lines: a drawing per picture, and one page of them all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fetalclip.cli import files

if TYPE_CHECKING:
    from fetalclip.frame import Frame
    from fetalclip.result import Analysis, Attribution, Exam


class Names:
    """Names of drawings after those of the pictures: never one twice."""

    def __init__(self) -> None:
        self.used: set[str] = set()

    def next(self, source: str) -> str:
        """``head.jpg`` becomes ``head.jpg.png``, a second one of that name ``head.jpg.2.png``."""
        number, name = 1, f"{source}.png"
        while name.casefold() in self.used:
            number += 1
            name = f"{source}.{number}.png"
        self.used.add(name.casefold())
        return name


class Pictures:
    """Drawings and page of one run; either may be None.

    Args:
        drawings: an existing folder for one PNG per picture.
        page: the HTML file.
        title: of the page.
        note: a banner on the page, or empty.
    """

    def __init__(
        self, drawings: Path | None, page: Path | None, title: str = "Fetal ultrasound report", note: str = ""
    ) -> None:
        self.drawings, self.page, self.title, self.note = drawings, page, title, note
        self._names = Names()
        self._report: Any = None

    @property
    def wanted(self) -> bool:
        """Whether anything is to be written."""
        return self.drawings is not None or self.page is not None

    def add(self, analysis: Analysis, frame: Frame | None, heat: Attribution | None = None) -> None:
        """Draw one analysis and put it on the page; a file that was not read has a line and no drawing.

        Args:
            analysis: what was found.
            frame: the picture; of DICOM it is shown without its banner.
            heat: where its plane comes from, for the page.
        """
        if frame is not None and self.wanted:
            from fetalclip.report.hidden import without_banner

            frame = without_banner(frame)  # once, for page and drawing
        if self.page is not None:
            self._open().add(analysis, frame=frame, attribution=heat)
        if self.drawings is not None and frame is not None:
            from fetalclip.report.draw import draw_analysis

            target = self.drawings / self._names.next(Path(analysis.input.path).name)
            with files.whole(target, "--drawings") as temporary:
                draw_analysis(frame, analysis).save(temporary, format="PNG")

    def add_exam(self, exam: Exam) -> None:
        """Put an exam on the page."""
        if self.page is not None:
            self._open().add(exam)

    def _open(self) -> Any:
        """The page, begun at the first use."""
        if self._report is None:
            from fetalclip.report import Report

            self._report = Report(title=self.title, note=self.note)
        return self._report

    def finish(self) -> list[Path]:
        """Save the page. Returns what was written: the page, the folder of drawings."""
        written = []
        if self.page is not None and self._report is not None:
            written.append(self._report.save(self.page))
        if self.drawings is not None and self._names.used:
            written.append(self.drawings)
        return written
