"""Ages of all HC18 heads on the chart, each by an encoder and an age rule that saw no head of its fold.

The five encoders are those that ``fetalclip train open`` leaves in ``fold-K/model``: each was trained without fold K
of the heads (and without fold 0). The rule for fold K, with its interval, is fitted on what the other four encoders say
of the heads of their own held folds: cross-conformal prediction (Vovk, Ann Math Artif Intell 2015;74:9-28). Scores are
kept in ``fold-K/heads.npz``, so a run that was stopped goes on. Folds without a model are left out.

    python benchmarks/age_cross_conformal.py --root DIR --run runs/open [--json]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

import fetalclip
from fetalclip.bench.ages import Ages, age_metrics, by_band, published_rule
from fetalclip.bench.ga import INTERVAL
from fetalclip.bench.printed import text
from fetalclip.bench.table import BenchResult, Goal
from fetalclip.cards import get_card
from fetalclip.fit.age import fit_age_rule
from fetalclip.fit.heads import Heads, score_heads

GOALS = {"interval_coverage": Goal(0.87, upto=0.93)}


def scored(run: Path, root: str, fold: int) -> Heads:
    """The heads of a fold as the encoder without it scores them; kept beside it, by the encoder's hash."""
    folder, file = run / f"fold-{fold}" / "model", run / f"fold-{fold}" / "heads.npz"
    sha256 = get_card(folder).sha256
    if file.is_file():
        with np.load(file, allow_pickle=False) as kept:
            if str(kept["sha256"]) == sha256:
                return Heads(kept["scores"], kept["hc"], tuple(map(str, kept["groups"])))
    heads = score_heads(fetalclip.load(folder), root, fold)
    np.savez(file, scores=heads.scores, hc=heads.hc, groups=np.array(heads.groups), sha256=sha256)
    return heads


def answered(folds: list[Heads], out: int) -> Ages:
    """Ages of one fold's heads by the rule of the others."""
    others = [heads for fold, heads in enumerate(folds) if fold != out]
    groups = [group for heads in others for group in heads.groups]
    rule = fit_age_rule(np.concatenate([h.scores for h in others]), np.concatenate([h.age for h in others]), groups)
    said, heads = rule(folds[out].scores), folds[out]
    days, low, high = np.round(said.days), np.floor(said.low), np.ceil(said.high)  # whole, as users get them
    return Ages(heads.hc, heads.groups, days, low, high, np.array([bool(d) for d in said.doubts]))


def joined(parts: list[Ages]) -> Ages:
    """One after the other."""
    columns = [np.concatenate([getattr(part, name) for part in parts]) for name in ("hc", "days", "low", "high")]
    groups = tuple(group for part in parts for group in part.group)
    return Ages(columns[0], groups, *columns[1:], np.concatenate([part.abstained for part in parts]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", required=True, help="folder of the data sets")
    parser.add_argument("--run", type=Path, required=True, help="run folder of fetalclip train open")
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    asked = parser.parse_args()
    there = [fold for fold in range(5) if (asked.run / f"fold-{fold}" / "model" / "config.json").is_file()]
    if len(there) < 2:
        parser.error(f"{asked.run} holds the models of {len(there)} folds: two or more are needed")
    folds = [scored(asked.run, asked.root, fold) for fold in there]
    found = joined([answered(folds, place) for place in range(len(folds))])
    days = published_rule(np.concatenate([heads.scores for heads in folds]))
    rows = age_metrics(found, f"Cross-conformal ages of HC18 heads, {len(folds)} encoders", GOALS)
    rows += age_metrics(Ages(found.hc, found.group, days), "Published rule, the same scores", prefix="published_")
    facts = {"heads_by_fold": {str(f): len(heads) for f, heads in zip(there, folds, strict=True)}, "interval": INTERVAL}
    notes = ("HC18 has no ages: the age of a head is the day whose WHO median it is",)
    differences = found.differences()
    result = BenchResult(
        "ga",
        len(found),
        tuple(rows),
        {},
        provenance=facts,
        notes=notes,
        subgroups=by_band(found),
        differences=differences,
    )
    print(json.dumps(result.to_dict(), indent=1) if asked.json else text(result))


if __name__ == "__main__":
    main()
