"""The protocols by name. Light: their modules are loaded when they are run.

A new protocol is one module in this folder and one entry here. The module has

* ``Options``: a frozen dataclass with ``split``, ``limit`` and ``show_progress``;
* ``run(model, root, options) -> BenchResult``;
* ``from_predictions(path) -> BenchResult``: the same table from a file of saved answers.

``fetalclip bench NAME`` comes by itself, with ``--versus``, ``--report``, ``--plot``, ``--card`` and ``--json``; a
protocol with options of its own gets a command in ``fetalclip.cli.bench``.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Protocol:
    """A named protocol.

    Attributes:
        name: what the user types.
        title: in a headline.
        about: help of its command: a sentence, and a paragraph.
        module: where it is.
    """

    name: str
    title: str
    about: str
    module: str

    def load(self) -> Any:
        """Its module."""
        return import_module(self.module)


PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "planes",
            "Standard planes",
            """Standard planes of the test patients, with intervals.

            FETAL_PLANES_DB's test side, burned-in text masked (the headline), as it is, and alone; first-trimester and
            later heads of HC18; pictures that should get no plane. Intervals are by patient.""",
            "fetalclip.bench.planes",
        ),
        Protocol(
            "subplanes",
            "Sub-planes of the brain",
            """Planes of the brain of the test patients, with intervals.

            The brains of FETAL_PLANES_DB's test side that are trans-thalamic, trans-cerebellum or trans-ventricular,
            burned-in text masked (the headline), as it is, and alone. Intervals are by patient.""",
            "fetalclip.bench.subplanes",
        ),
        Protocol(
            "ga",
            "Gestational age",
            """Gestational age of measured heads, with intervals.

            HC18 heads of 100 to 342 mm: valid predictions, error, limits of agreement, coverage, by age band, beside
            what the pixel spacing alone gets. From a model, from saved scores of 175 days, or from saved ages.""",
            "fetalclip.bench.ga",
        ),
        Protocol(
            "head-segmentation",
            "Outline of the head",
            """The outline of the fetal head on held-out examinations, with intervals.

            HC18's annotated heads: Dice by picture and pooled, Hausdorff 95 and mean surface distance in mm, the share
            without a mask and the share that the model takes for no head plane.""",
            "fetalclip.bench.head_segmentation",
        ),
        Protocol(
            "structures",
            "Structures of the brain",
            """Brain, cavum septi pellucidi and lateral ventricle, with intervals.

            All pictures of the fetal head structures in patient folds, each drawn by a head that did not see its
            patient: Dice by picture and pooled, Hausdorff 95 and mean surface distance in pixels.""",
            "fetalclip.bench.structures",
        ),
        Protocol(
            "biometry",
            "Biometry",
            """Measures in millimetres on held-out examinations, with intervals.

            HC of HC18 through the main job: the share of all pictures that got one, difference from the published HC,
            limits of agreement, its interval, by size. BPD, OFD, TAD, APAD, AC and FL against experts' end points on
            FETAL_PLANES_DB's test side, where the table of them is there. From a model, or from saved HC.""",
            "fetalclip.bench.biometry",
        ),
        Protocol(
            "quality",
            "Image quality",
            """Checks of image quality on simulated views with planted faults, with intervals.

            Every check on sound views and on views with its fault: balanced accuracy, faults seen, sound views not
            failed. The views are drawn here, no data set is needed. With one, also whether the plane of a real head
            shows the cerebellum.""",
            "fetalclip.bench.quality",
        ),
        Protocol(
            "heart",
            "Findings on clips of the heart",
            """Findings on clips of the heart, with intervals.

            A head on clips of your own (--root with clips.csv), on simulated clips (--simulated), or saved answers:
            AUROC, AUPRC, sensitivity at 90 % specificity and calibration of each finding, what one frame shows, and
            for simulated clips the curve over severity. Intervals are by patient.""",
            "fetalclip.bench.heart",
        ),
        Protocol(
            "probe",
            "Linear probe",
            """A linear probe on the frozen encoder, with intervals.

            Learned from all training patients of FETAL_PLANES_DB, scored on the test patients: planes and sub-planes,
            burned-in text masked. Further models by --with, each with whether it has seen these labels before.""",
            "fetalclip.bench.probe",
        ),
        Protocol(
            "few-shot",
            "Label efficiency",
            """What is learned from a few patients of each class, with intervals.

            Support sets from FETAL_PLANES_DB's training side, the same for every model, scored on the test patients:
            a curve for each model, paired differences, and by --end-to-end the whole tower trained on the same.""",
            "fetalclip.bench.few_shot",
        ),
        Protocol(
            "explain",
            "Attribution maps",
            """Whether attribution maps follow the model, with intervals.

            Rank correlation with the map of a model of random weights; deletion and insertion on 25 test pictures of
            each plane; the share of the map inside the head on HC18, against a centred Gaussian, all heads and those
            off centre. From a model, or from saved rows of anybody's maps.""",
            "fetalclip.bench.explain",
        ),
        Protocol(
            "shortcut",
            "Burned-in text",
            """How much of a score rests on burned-in text, with intervals.

            FETAL_PLANES_DB's test side, planes and sub-planes of the brain: the same pictures with burned-in text
            masked, as they are, and alone; what the text adds, paired by patient, and whose answer it changes.""",
            "fetalclip.bench.shortcut",
        ),
    )
}


def title(name: str) -> str:
    """The title of a protocol; the name itself where it has none."""
    return PROTOCOLS[name].title if name in PROTOCOLS else name
