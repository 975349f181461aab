"""Trackers beside the run's own log, by the names Accelerate gives them; what they write stays in the run folder.

TensorBoard: ``tensorboard --logdir FOLDER/tensorboard``. MLflow writes to a file store,
``MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri FOLDER/mlflow``, unless ``MLFLOW_TRACKING_URI`` names
another place. Every other tracker of Accelerate's goes where its own settings say.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fetalclip.errors import BadRecipe, MissingPackage, OutputError
from fetalclip.optional import require
from fetalclip.report.progress import flatten

if TYPE_CHECKING:
    from accelerate.tracking import GeneralTracker

TENSORBOARD, MLFLOW = "tensorboard", "mlflow"
_PROJECT = "fetalclip"
_INSTALL = {TENSORBOARD: "pip install 'fetalclip[track]'", MLFLOW: "pip install mlflow-skinny"}
# What MLflow would look up itself: who runs it and from which file.
_TAGS = {"mlflow.user": "fetalclip", "mlflow.source.name": "fetalclip train"}
_stores: set[str] = set()  # that were set here: MLflow writes them into the environment as if the user had


def known_trackers() -> tuple[str, ...]:
    """Names Accelerate knows, installed or not."""
    utils = require("accelerate.utils", "training", "train")
    return tuple(str(name) for name in utils.LoggerType.list() if str(name) != "all")


def check_trackers(names: Sequence[str]) -> None:
    """Hold names to what Accelerate knows and what is installed.

    Raises:
        BadRecipe: a name Accelerate does not know; the message lists those it does.
        MissingPackage: a tracker that is not installed.
    """
    known = known_trackers()
    installed = {str(name) for name in require("accelerate.tracking", "training", "train").get_available_trackers()}
    for name in names:
        if name not in known:
            raise BadRecipe(
                f"watch.trackers with {name!r:.60}", "of " + ", ".join(known), "watch.trackers=[tensorboard]"
            )
        if name not in installed:
            fix = _INSTALL.get(name, f"pip install {name.replace('_', '-')}")
            raise MissingPackage(f"the tracker {name} is not installed", "it, or watch.trackers without it", fix)


def trackers(names: Sequence[str], folder: Path, name: str = "run") -> list[GeneralTracker | str]:
    """What ``Accelerator(log_with=…)`` takes; started by its ``init_trackers``, on the first process only.

    Args:
        names: as Accelerate gives them; each once.
        folder: the run folder, below which TensorBoard and MLflow write.
        name: of the run. MLflow goes on with a run of that name that it finds in the folder.

    Raises:
        BadRecipe, MissingPackage: as `check_trackers`.
        OutputError: the folder cannot be written.
    """
    check_trackers(names)
    made: list[GeneralTracker | str] = []
    for one in dict.fromkeys(names):
        if one == TENSORBOARD:
            made.append(_tensorboard(folder, name))
        else:
            made.append(_mlflow(folder, name) if one == MLFLOW else one)
    return made


def hyperparameters(recipe: Mapping[str, Any], before: str = "") -> dict[str, bool | int | float | str]:
    """A recipe as trackers take it: by dotted key, a list as words, nothing where there is none."""
    found: dict[str, bool | int | float | str] = {}
    for key, value in recipe.items():
        name = f"{before}{key}"
        if isinstance(value, Mapping):
            found |= hyperparameters(value, f"{name}.")
        elif isinstance(value, (bool, int, float, str)):
            found[name] = value
        else:
            found[name] = "" if value is None else ", ".join(map(str, value))
    return found


def numbers(line: Mapping[str, Any]) -> dict[str, float]:
    """A line of the log as trackers take it: finite numbers by dotted key, without the step they stand at."""
    return {key: value for key, value in flatten(line).items() if key != "step"}


def _tensorboard(folder: Path, name: str) -> GeneralTracker:
    from accelerate.tracking import TensorBoardTracker

    return TensorBoardTracker(name, _made(folder / TENSORBOARD))


def _mlflow(folder: Path, name: str) -> GeneralTracker:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when it is imported
    stated = os.environ.get("MLFLOW_TRACKING_URI", "")
    named = stated not in ("", *_stores)
    if not named:
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    import mlflow
    from accelerate.tracking import MLflowTracker

    if named:
        mlflow.set_tracking_uri(stated)
        return MLflowTracker(_PROJECT, run_name=name, tags=dict(_TAGS))
    store = _made(folder / MLFLOW).absolute()
    _stores.add(store.as_uri())
    mlflow.set_tracking_uri(store.as_uri())
    earlier = _earlier(name)
    files = (store / "files").as_uri()
    return MLflowTracker(_PROJECT, logging_dir=files, run_id=earlier, run_name=name, tags=dict(_TAGS))


def _earlier(name: str) -> str | None:
    """The run of that name in the store, so that a resumed training is one run."""
    from mlflow import MlflowClient

    client = MlflowClient()
    experiment = client.get_experiment_by_name(_PROJECT)
    runs = [] if experiment is None else client.search_runs([experiment.experiment_id])
    return next((str(run.info.run_id) for run in runs if run.info.run_name == name), None)


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made ({error.strerror})", "a writable run folder") from None
    return folder
