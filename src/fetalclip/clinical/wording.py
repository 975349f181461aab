"""The words a caption is built of; reviewable by a sonographer, no code in it.

``{what}`` are views, ``{which}`` a sub-view, ``{age}`` and ``{spacing}`` numbers with their units, ``{machine}`` with
its article where a sentence needs one, ``{findings}`` as given. An adjunct starts with its own comma or space.
"""

from __future__ import annotations

from fetalclip.clinical.vocabulary import PLANES, UNNAMED

_MORE_VIEWS: dict[str, tuple[str, ...]] = {
    "abdomen": (
        "fetal abdominal circumference plane",
        "upper fetal abdomen",
        "fetal stomach and liver in cross-section",
    ),
    "brain": ("fetal cranium", "intracranial anatomy of the fetus", "fetal cerebral hemispheres"),
    "femur": ("fetal thigh", "femoral shaft of the fetus", "long bone of the fetal thigh"),
    "thorax": ("fetal chest", "heart of the fetus", "fetal ventricles and atria", "thorax of the fetus"),
    "kidney": ("kidneys of the fetus", "fetal renal anatomy"),
    "lips_nose": ("lips and nostrils of the fetus", "fetal upper lip"),
    "profile_patient": ("profile of the fetal face", "fetal face from the side"),
    "spine": ("fetal vertebral column", "spine of the fetus"),
    "cervix": ("uterine cervix", "cervix of the mother"),
}
VIEWS: dict[str, tuple[str, ...]] = {plane: (*words, *_MORE_VIEWS[plane]) for plane, words in PLANES.items()}
"""Every way to name a view: the training vocabulary and more."""

_UNNAMED_VIEWS: tuple[str, ...] = ("fetus", "fetal anatomy", "unborn child", "fetus in the womb", "fetal body")


def views(plane: str) -> tuple[str, ...]:
    """Every way to name a view; of ``UNNAMED`` words that fit any."""
    return _UNNAMED_VIEWS if plane == UNNAMED else VIEWS[plane]


KINDS: tuple[str, ...] = (
    "an ultrasound image",
    "an ultrasound picture",
    "a sonogram",
    "a B-mode image",
    "an obstetric scan",
    "a prenatal ultrasound image",
    "an antenatal scan",
    "a grey-scale ultrasound image",
    "a routine pregnancy scan",
    "a sonographic frame",
    "a still from an obstetric examination",
)
OPENINGS: tuple[str, ...] = (
    "{kind} of the {what}",
    "{kind} showing the {what}",
    "the {what} on {kind}",
    "{kind}: the {what}",
    "the {what}, {kind}",
    "{kind} in which the {what} can be seen",
    "the {what} as seen on {kind}",
    "this is {kind} of the {what}",
    "{kind} taken at the {what}",
    "view of the {what} from {kind}",
)
BARE_OPENINGS: tuple[str, ...] = ("the {what}", "{what}", "seen here: the {what}", "a view of the {what}")

AGES: tuple[str, ...] = (
    "{weeks} weeks and {days} day{s}",
    "{weeks} weeks {days} day{s}",
    "{weeks}w{days}d",
    "{weeks}w {days}d",
    "{weeks}+{days} weeks",
    "{weeks} weeks + {days} day{s}",
    "{total} days",
)
WHOLE_AGES: tuple[str, ...] = ("{weeks} weeks", "exactly {weeks} weeks", "{weeks} completed weeks and no days")
SPACINGS: tuple[str, ...] = (
    "{mm:.2f} mm per pixel",
    "{mm:.2f} mm/pixel",
    "{mm:.2f} mm/px",
    "{mm:.2f} millimetres per pixel",
    "{um} micrometres per pixel",
    "{um} um per pixel",
)

ADJUNCTS: dict[str, tuple[str, ...]] = {
    "subplane": (" at the {which}", ", {which}", ", showing the {which}", "; {which}", ", level with the {which}"),
    "age": (
        " at {age} of gestation",
        " at a gestational age of {age}",
        ", gestational age {age}",
        ", GA {age}",
        ", a fetus of {age} of gestation",
        "; menstrual age {age}",
    ),
    "spacing": (
        ", {spacing}",
        ", pixel spacing {spacing}",
        "; scale {spacing}",
        " sampled at {spacing}",
        ", with {spacing}",
    ),
    "machine": (" on {machine}", ", acquired on {machine}", ", made with {machine}", "; scanned with {machine}"),
    "findings": (" with {findings}", ", showing {findings}", "; findings: {findings}", ", {findings}"),
}
LEADS: dict[str, tuple[str, ...]] = {
    "subplane": ("at the {which}, ", "{which}: "),
    "age": ("at {age} of gestation, ", "gestational age {age}: ", "at a gestational age of {age}, "),
    "spacing": ("at {spacing}, ", "with {spacing}, "),
    "machine": ("on {machine}, ", "acquired on {machine}: "),
    "findings": ("with {findings}, ", "findings of {findings}: "),
}
SENTENCES: dict[str, tuple[str, ...]] = {
    "subplane": ("The section is the {which}.", "Shown is the {which}.", "The level is that of the {which}."),
    "age": (
        "The gestational age is {age}.",
        "Gestational age: {age}.",
        "The fetus is at {age} of gestation.",
        "The pregnancy is at {age} of gestation.",
    ),
    "spacing": (
        "The pixel spacing is {spacing}.",
        "The scale is {spacing}.",
        "It is sampled at {spacing}.",
        "Its pixels are spaced at {spacing}.",
    ),
    "machine": ("It was acquired on {machine}.", "The scanner is {machine}.", "Made with {machine}."),
    "findings": ("Findings: {findings}.", "There is {findings}.", "Noted: {findings}."),
}
LABELS: dict[str, tuple[str, ...]] = {
    "views": ("View", "Plane", "Anatomy", "Structure"),
    "subplane": ("Section", "Level", "Sub-view"),
    "age": ("Gestational age", "GA", "Age of the fetus"),
    "spacing": ("Pixel spacing", "Scale", "Spacing"),
    "machine": ("Machine", "Scanner", "System"),
    "findings": ("Findings", "Notes", "Observations"),
}
TAGS: dict[str, tuple[str, ...]] = {
    "subplane": ("{which}",),
    "age": ("GA {age}", "gestational age {age}"),
    "spacing": ("{spacing}", "spacing {spacing}"),
    "machine": ("{machine}",),
    "findings": ("{findings}",),
}
SEPARATORS: tuple[str, ...] = (", ", " | ", "; ", " - ")
