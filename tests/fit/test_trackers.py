"""Trackers through Accelerate: what was logged is read back from what they wrote, below the run folder alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from accelerate import Accelerator

from fetalclip.errors import BadRecipe, MissingPackage
from fetalclip.fit import trackers as module
from fetalclip.fit.pretrain_recipe import PretrainRecipe, WatchRecipe
from fetalclip.fit.trackers import check_trackers, hyperparameters, known_trackers, numbers, trackers

LINE = {"step": 10, "epoch": 0.5, "loss": 1.5, "skipped": 0, "validation": {"macro_f1": 0.25, "n": 8}, "best": True}


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """No tracker of another test, and nothing of MLflow's left set."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_TAGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.chdir(tmp_path)
    yield
    import mlflow

    while mlflow.active_run() is not None:
        mlflow.end_run()
    mlflow.set_tracking_uri("")


def run(names, folder: Path, steps, recipe) -> None:
    accelerator = Accelerator(log_with=trackers(names, folder, "mine"), cpu=True)
    accelerator.init_trackers("fetalclip", hyperparameters(recipe.to_dict()))
    for step in steps:
        accelerator.log(numbers({**LINE, "step": step, "loss": 1 / step}), step=step)
    accelerator.end_training()


def test_both_trackers_hold_what_was_logged(alone, tmp_path):
    recipe = PretrainRecipe(watch=WatchRecipe(trackers=("tensorboard", "mlflow")))
    run(recipe.watch.trackers, tmp_path / "run", (10, 20), recipe)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run"]
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == ["mlflow", "tensorboard"]

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "run" / "tensorboard" / "mine")).Reload()
    assert {e.step: e.value for e in events.Scalars("loss")} == pytest.approx({10: 0.1, 20: 0.05})
    assert [e.value for e in events.Scalars("validation.macro_f1")] == [0.25, 0.25]

    from mlflow import MlflowClient

    client = MlflowClient((tmp_path / "run" / "mlflow").as_uri())
    (found,) = client.search_runs([client.get_experiment_by_name("fetalclip").experiment_id])
    assert [(m.step, m.value) for m in client.get_metric_history(found.info.run_id, "loss")] == [(10, 0.1), (20, 0.05)]
    assert found.data.params["model.vit.width"] == "384"
    assert found.data.params["watch.trackers"] == "tensorboard, mlflow"
    assert found.data.tags["mlflow.user"] == "fetalclip"
    assert str(tmp_path) not in found.data.tags["mlflow.source.name"]


def test_a_training_that_goes_on_is_one_run(alone, tmp_path):
    for steps in ((10, 20), (30,)):
        run(["mlflow"], tmp_path, steps, PretrainRecipe())
    from mlflow import MlflowClient

    client = MlflowClient((tmp_path / "mlflow").as_uri())
    (found,) = client.search_runs([client.get_experiment_by_name("fetalclip").experiment_id])
    assert [m.step for m in client.get_metric_history(found.info.run_id, "loss")] == [10, 20, 30]


def test_every_run_has_its_own_store_and_a_place_that_the_user_names_holds(alone, tmp_path, monkeypatch):
    for name in ("first", "second"):
        run(["mlflow"], tmp_path / name, (10,), PretrainRecipe())
        assert len(list((tmp_path / name / "mlflow").glob("*/*/metrics/loss"))) == 1
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "theirs").as_uri())
    run(["mlflow"], tmp_path / "third", (10,), PretrainRecipe())
    assert len(list((tmp_path / "theirs").glob("*/*/metrics/loss"))) == 1
    assert not (tmp_path / "third").exists()


def test_names_are_held_to_what_accelerate_knows():
    assert {"tensorboard", "mlflow", "wandb"} <= set(known_trackers())
    assert "all" not in known_trackers()
    with pytest.raises(BadRecipe, match=r"tensorboard, .*mlflow"):
        check_trackers(["tensorbord"])
    check_trackers([])
    check_trackers(["tensorboard", "mlflow"])


def test_a_tracker_that_is_not_installed_is_said(monkeypatch):
    from accelerate import tracking

    monkeypatch.setattr(tracking, "_available_trackers", [])
    with pytest.raises(MissingPackage, match=r"pip install 'fetalclip\[track\]'"):
        check_trackers(["tensorboard"])
    with pytest.raises(MissingPackage, match="pip install comet-ml"):
        check_trackers(["comet_ml"])


def test_another_tracker_is_passed_by_name(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "check_trackers", lambda names: None)
    assert trackers(["wandb", "wandb"], tmp_path) == ["wandb"]
    assert list(tmp_path.iterdir()) == []


def test_what_trackers_are_told_is_flat():
    told = hyperparameters({"a": {"b": (1, 2), "c": None}, "d": True, "e": {}})
    assert told == {"a.b": "1, 2", "a.c": "", "d": True}
    assert numbers(LINE) == {
        "epoch": 0.5,
        "loss": 1.5,
        "skipped": 0,
        "validation.macro_f1": 0.25,
        "validation.n": 8,
        "best": 1,
    }
