"""What a heart head says of a clip, in words and as HTML."""

from __future__ import annotations

from fetalclip.report.text import percent, safe, sentence
from fetalclip.result import Analysis, ClipFrame, Finding, HeartScore

_ANSWERS = ("present", "absent", "not answered")


def words(analysis: Analysis) -> tuple[str, ...]:
    """The findings by their answer, and the frames they rest on; empty where no head answered.

    Example: "heart by mine, present: effusion 93.1 %", "absent: septal defect 2.0 %", "looked most at frame 12 at
    0.40 s". A head that abstained says so in the warnings.
    """
    found = analysis.heart
    if found is None or found.abstained:
        return ()
    by_answer: dict[str, list[str]] = {answer: [] for answer in _ANSWERS}
    for name, share in found.top(len(found.findings)):
        by_answer[answer(found[name])].append(f"{sentence(name)} {percent(share)}")
    told = [f"{what}: {', '.join(names)}" for what, names in by_answer.items() if names]
    told += [f"looked most at {looked(found)}"] if found.key_frames else []
    return (f"heart by {sentence(found.head)}, {told[0]}", *told[1:]) if told else ()


def answer(finding: Finding) -> str:
    """``present``, ``absent`` or ``not answered``."""
    return _ANSWERS[2] if finding.present is None else _ANSWERS[0] if finding.present else _ANSWERS[1]


def looked(found: HeartScore) -> str:
    """The key frames, such as "frame 12 at 0.40 s, frame 31 at 1.03 s"."""
    return ", ".join(str(ClipFrame(one.index, one.seconds)) for one in found.key_frames)


def table(found: HeartScore | None) -> str:
    """The findings of one clip, the likeliest first, for its card; empty where there are none."""
    if found is None or not found.findings:
        return ""
    first, last = found.segment
    caption = f"Heart, by {sentence(found.head)}, frames {first} to {last}"
    caption += f"; looked most at {looked(found)}" if found.key_frames else ""
    rows = "\n".join(_row(name, found[name]) for name, _ in found.top(len(found.findings)))
    return f'<table class="measures heart"><caption>{safe(caption)}</caption><tbody>\n{rows}\n</tbody></table>'


def _row(name: str, one: Finding) -> str:
    why = f'<td class="how">{safe(sentence(one.reason))}</td>'
    return (
        f'<tr><th scope="row">{safe(sentence(name))}</th><td class="value">{safe(answer(one))}</td>'
        f'<td class="range">{safe(percent(one.probability))}</td>{why}</tr>'
    )
