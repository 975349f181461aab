"""What probes say of a picture, in words and as HTML."""

from __future__ import annotations

from fetalclip.report.text import percent, safe, sentence
from fetalclip.result import Analysis, ProbeAnswer

_SHOWN = 5  # classes told of one probe


def words(analysis: Analysis) -> tuple[str, ...]:
    """A phrase for each probe, such as "placenta: anterior 93.1 %"; one that abstained says so in the warnings."""
    return tuple(
        f"{sentence(one.head)}: {said(one)}" for one in analysis.probes or () if one.scores or one.value is not None
    )


def said(one: ProbeAnswer) -> str:
    """The answer alone, such as "anterior 93.1 %" or "142 days, 90 %: 131 to 154 days"."""
    if one.label is not None:
        closest = "abstained, closest " if one.abstained else ""
        return f"{closest}{sentence(one.label)} {percent(one.probability or 0.0)}"
    if one.value is None:
        return "no answer"
    unit = f" {sentence(one.unit)}" if one.unit else ""
    if one.low is None or one.high is None:
        return f"{one.value:.4g}{unit}"
    return f"{one.value:.4g}{unit}, {100 * one.level:.0f} %: {one.low:.4g} to {one.high:.4g}{unit}"


def table(found: tuple[ProbeAnswer, ...] | None) -> str:
    """The answers of one picture for its card, each probe's likeliest classes below it; empty where there are none."""
    rows = "\n".join(_row(one) for one in found or ())
    if not rows:
        return ""
    return f'<table class="measures probes"><caption>Probes</caption><tbody>\n{rows}\n</tbody></table>'


def _row(one: ProbeAnswer) -> str:
    ranked = sorted(one.scores.items(), key=lambda item: -item[1])[1:_SHOWN]
    others = ", ".join(f"{sentence(name)} {percent(share)}" for name, share in ranked)
    why = sentence(one.reason) or others
    return (
        f'<tr><th scope="row">{safe(sentence(one.head))}</th><td class="value">{safe(said(one))}</td>'
        f'<td class="how">{safe(why)}</td></tr>'
    )
