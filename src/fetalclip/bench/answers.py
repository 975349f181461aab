"""What a model said of pictures, and what can be counted of it: one `Answers` for each way of asking."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fetalclip.errors import UsageError
from fetalclip.metrics import (
    Estimate,
    Index,
    Reals,
    ReliabilityBin,
    RiskPoint,
    Statistic,
    accuracy,
    adaptive_calibration_error,
    area_under_risk_coverage,
    brier_score,
    confusion_matrix,
    corrected_calibration_error,
    encode,
    expected_calibration_error,
    f1_scores,
    group_bootstrap,
    macro_f1,
    rate,
    reliability_curve,
    risk_coverage_curve,
)

RESAMPLES = 1000
SEED = 0
FACTS = ("machine", "operator")  # of a picture: what subgroups are told apart by


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model said, picture by picture; all of length n.

    Attributes:
        truth: true plane, "" where there is none.
        group: patient, examination or drawing.
        label: the most probable candidate, given also where the model abstained.
        probability: of ``label``, float64 (n,).
        abstained: bool (n,).
        candidates: names of the columns of ``table``.
        table: probability of every candidate, float64 (n, candidates); None where only the best one was kept.
        facts: what else is known of every picture, such as its machine; "" where it is not. Each (n,).
    """

    truth: tuple[str, ...]
    group: tuple[str, ...]
    label: tuple[str, ...]
    probability: npt.NDArray[np.float64]
    abstained: npt.NDArray[np.bool_]
    candidates: tuple[str, ...] = ()
    table: Reals | None = None
    facts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.label)

    @property
    def classes(self) -> tuple[str, ...]:
        """Planes that occur in the truth, in alphabetical order, then the others that were answered."""
        true = sorted(set(self.truth))
        return (*true, *sorted(set(self.label) - set(true)))

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether the most probable candidate is the true one, bool (n,)."""
        return np.array([true == said for true, said in zip(self.truth, self.label, strict=True)], dtype=bool)

    @property
    def sure(self) -> bool:
        """Whether the probability of every answer is known."""
        return bool(np.isfinite(self.probability).all())

    def coded(self) -> tuple[Index, Index]:
        """Truth and label as positions in ``classes``, each (n,)."""
        return encode(self.truth, self.classes), encode(self.label, self.classes)

    def where(self, chosen: npt.NDArray[np.bool_]) -> Answers:
        """The answers at which ``chosen``, bool (n,), is True."""
        at = np.flatnonzero(chosen)
        truth, group, label = (tuple(names[i] for i in at) for names in (self.truth, self.group, self.label))
        table = None if self.table is None else self.table[at]
        facts = {name: tuple(values[i] for i in at) for name, values in self.facts.items()}
        return Answers(truth, group, label, self.probability[at], self.abstained[at], self.candidates, table, facts)

    def macro_f1(self) -> Statistic:
        """Macro F1 of chosen rows, over the classes that occur in the truth of those rows."""
        truth, label = self.coded()
        count = len(self.classes)
        return lambda rows: macro_f1(confusion_matrix(truth[rows], label[rows], count))

    def f1(self, name: str) -> Statistic:
        """F1 of one class; NaN where none of the chosen rows is of that class."""
        truth, label = self.coded()
        count, which = len(self.classes), self.classes.index(name)
        return lambda rows: float(f1_scores(confusion_matrix(truth[rows], label[rows], count))[which])

    def accuracy(self) -> Statistic:
        """Share of chosen rows given their true plane."""
        truth, label = self.coded()
        count = len(self.classes)
        return lambda rows: accuracy(confusion_matrix(truth[rows], label[rows], count))

    def calibration(self) -> Statistic:
        """Expected calibration error (15 bins) of chosen rows."""
        right = self.right
        return lambda rows: expected_calibration_error(self.probability[rows], right[rows])

    def adaptive_calibration(self) -> Statistic:
        """Calibration error of chosen rows in 15 bins of equal count."""
        right = self.right
        return lambda rows: adaptive_calibration_error(self.probability[rows], right[rows])

    def corrected_calibration(self) -> Statistic:
        """Bias-corrected calibration error of chosen rows."""
        right = self.right
        return lambda rows: corrected_calibration_error(self.probability[rows], right[rows])

    def risk_area(self) -> Statistic:
        """Area under the risk-coverage curve of chosen rows."""
        right = self.right
        return lambda rows: area_under_risk_coverage(self.probability[rows], right[rows])

    def brier(self) -> Statistic:
        """Brier score of chosen rows; needs the whole table."""
        table = self.table
        if table is None:
            raise UsageError("answers without the probability of every candidate", "a whole table")
        where = {name: column for column, name in enumerate(self.candidates)}
        truth = np.array([where.get(name, -1) for name in self.truth], dtype=np.int64)
        return lambda rows: brier_score(table[rows], truth[rows])

    def reliability(self) -> tuple[ReliabilityBin, ...]:
        """Points of the reliability curve; none where a probability is not known."""
        return reliability_curve(self.probability, self.right) if self.sure else ()

    def risk_coverage(self) -> tuple[RiskPoint, ...]:
        """Points of the risk-coverage curve; none where a probability is not known."""
        return risk_coverage_curve(self.probability, self.right) if self.sure else ()

    def estimate(self, statistic: Statistic) -> Estimate:
        """The statistic on all rows with its interval over groups."""
        return group_bootstrap(statistic, self.group, RESAMPLES, SEED)

    def abstention(self) -> Estimate:
        """Share of pictures on which the model abstained."""
        return rate(self.abstained, self.group, RESAMPLES, SEED)

    def called(self, name: str) -> Estimate:
        """Share of pictures whose most probable candidate is ``name``."""
        return rate([label == name for label in self.label], self.group, RESAMPLES, SEED)


def joined(parts: Iterable[Answers]) -> Answers:
    """Several sets of answers as one."""
    parts = list(parts)
    truth, group, label = (
        tuple(name for part in parts for name in getattr(part, key)) for key in ("truth", "group", "label")
    )
    probability = np.concatenate([part.probability for part in parts])
    abstained = np.concatenate([part.abstained for part in parts])
    tables = [part.table for part in parts if part.table is not None and part.candidates == parts[0].candidates]
    if len(tables) < len(parts):
        return Answers(truth, group, label, probability, abstained)
    return Answers(truth, group, label, probability, abstained, parts[0].candidates, np.concatenate(tables))
