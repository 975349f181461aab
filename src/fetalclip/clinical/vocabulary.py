"""The words for what can be on a picture; reviewable by a sonographer, no code in it.

``PLANES`` are the candidates of the published nine-way protocol, under this project's names: the published
``heart`` is ``thorax`` here (the label of FETAL_PLANES_DB for the four-chamber view). ``REJECTS`` are pictures that
should get no plane at all.
"""

from __future__ import annotations

PLANES: dict[str, tuple[str, ...]] = {
    "abdomen": (
        "fetal abdomen",
        "abdomen of the fetus",
        "transverse abdominal plane",
        "abdominal circumference plane with stomach bubble and umbilical vein",
        "axial fetal abdomen with stomach and liver",
        "fetal belly in cross-section",
    ),
    "brain": (
        "fetal brain",
        "fetal head",
        "axial plane of the fetal head",
        "head circumference plane with midline echo",
        "fetal skull and intracranial structures",
        "brain of the fetus within the skull",
    ),
    "femur": (
        "fetal femur",
        "femur of the fetus",
        "fetal thigh bone in long axis",
        "femoral diaphysis measured for femur length",
        "fetal leg with the ossified femoral shaft",
        "femur length plane",
    ),
    "thorax": (
        "fetal thorax",
        "fetal heart",
        "four-chamber view of the fetal heart",
        "fetal chest with the heart",
        "cardiac four-chamber plane with ventricles and atria",
        "transverse thorax with heart and lungs",
    ),
    "kidney": (
        "fetal kidney",
        "fetal kidneys and renal pelvis",
        "renal plane of the fetus",
        "kidneys either side of the lumbar vertebrae",
    ),
    "lips_nose": (
        "fetal lips and nose",
        "coronal view of the fetal face with nose and mouth",
        "nostrils and upper lip of the fetus",
        "fetal mouth and nose tip",
    ),
    "profile_patient": (
        "fetal profile",
        "sagittal view of the fetal face in profile",
        "facial profile with forehead, nasal bone and chin",
        "side view of the fetal face",
    ),
    "spine": (
        "fetal spine",
        "vertebral column of the fetus in long axis",
        "sagittal fetal spine with vertebrae",
        "fetal backbone and sacrum",
    ),
    "cervix": (
        "maternal cervix",
        "cervical canal and internal os",
        "transvaginal view of the uterine cervix",
        "cervical length measurement of the mother",
    ),
}

KNOWN: tuple[str, ...] = ("abdomen", "brain", "femur", "thorax")
"""The planes there are training pictures of."""

ALIASES: dict[str, str] = {"heart": "thorax", "head": "brain", "chest": "thorax"}

SUBPLANES: dict[str, tuple[str, ...]] = {
    "trans-thalamic": (
        "trans-thalamic plane",
        "thalami and cavum septi pellucidi",
        "thalamic level",
        "transthalamic section",
    ),
    "trans-cerebellum": (
        "trans-cerebellum plane",
        "cerebellum and cisterna magna",
        "transcerebellar section",
        "posterior fossa level with cerebellar hemispheres",
    ),
    "trans-ventricular": (
        "trans-ventricular plane",
        "lateral ventricle with choroid plexus",
        "transventricular section",
        "level of the lateral ventricles",
    ),
}

REJECTS: dict[str, tuple[str, ...]] = {
    "not ultrasound": (
        "not an ultrasound picture",
        "a photograph, drawing or text, not a scan",
        "an everyday picture without any ultrasound",
        "noise, a pattern or an empty picture instead of a scan",
        "something other than ultrasound",
    ),
    "no anatomy": (
        "ultrasound without recognisable anatomy",
        "only speckle in the sector, no fetal structure",
        "a scan too blurred or damaged to name a plane",
        "a negative or scrambled scan, no standard plane",
        "no standard plane can be seen",
    ),
}

UNNAMED = "scan"
"""Stands for the plane where captions are not to say it."""

MACHINES: tuple[str, ...] = ("Voluson E6", "Voluson S10", "Aloka")
