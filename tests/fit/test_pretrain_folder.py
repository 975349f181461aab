"""``fetalclip train`` by a pretraining recipe: from a table and from shards to a model folder that answers."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from paired import small

import fetalclip
from fetalclip.cli import main
from fetalclip.errors import BadRecipe, DataMissing, OutputError
from fetalclip.fit.pretrain_folder import open_sides, pretrain

pytestmark = pytest.mark.usefixtures("few_words")

RECIPE = """
objective: pretrain
name: small-pretrained
license: CC-BY-4.0
seed: 7
data: {workers: 0}
model:
  image: vit
  image_size: 32
  embed_dim: 16
  vit: {patch_size: 8, width: 32, layers: 2, heads: 2}
  text: {vocab_size: 400, width: 32, layers: 1, heads: 2}
optim: {epochs: 2, batch: 8, warmup_steps: 2}
watch: {log_steps: 1}
"""


@pytest.fixture
def recipe_file(tmp_path):
    file = tmp_path / "small.yaml"
    file.write_text(RECIPE)
    return file


def run(recipe_file, out, source, *words: str) -> int:
    return main(["train", str(recipe_file), f"data.train={source}", "--out", str(out), "--json", *words])


def test_a_folder_and_its_shards_train_the_same_model(recipe_file, tmp_path, drawn_table, drawn_shards, capsys):
    for name, source in (("table", drawn_table), ("shards", drawn_shards)):
        assert run(recipe_file, tmp_path / name, source, "data.buffer=0") == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["schema"] for line in told] == ["fetalclip.train/1"] * 2
    model = fetalclip.load(tmp_path / "shards" / "model")
    config = json.loads((tmp_path / "shards" / "model" / "config.json").read_text())
    assert config["results"]["validation"]["n"] == 8
    assert config["training"]["data"]["pairs"] == 32
    assert str(tmp_path) not in json.dumps(config)  # no place of this machine
    embedding = model.encode_text(["an ultrasound image of the fetal femur"])
    assert embedding.shape == (1, 16)
    first = [
        json.loads((tmp_path / n / "metrics.jsonl").read_text().splitlines()[0])["loss"] for n in ("table", "shards")
    ]
    assert first[0] > 0
    assert first[1] > 0


def test_an_other_recipe_or_a_second_run_in_the_folder_is_refused(recipe_file, tmp_path, drawn_shards, capsys):
    out = tmp_path / "run"
    assert run(recipe_file, out, drawn_shards, "optim.epochs=1") == 0
    assert run(recipe_file, out, drawn_shards, "optim.epochs=1") == 2
    assert "--resume" in capsys.readouterr().err
    assert run(recipe_file, out, drawn_shards, "optim.epochs=1", "optim.rate=1e-4", "--resume") == 3
    assert "another recipe" in capsys.readouterr().err
    assert run(recipe_file, out, drawn_shards, "optim.epochs=1", "watch.log_steps=3", "--resume") == 0


def test_data_that_is_not_there_is_told(tmp_path, drawn_shards):
    with pytest.raises(BadRecipe, match=r"data.train is empty"):
        open_sides(small())
    recipe = small()
    with pytest.raises(DataMissing):
        open_sides(replace(recipe, data=replace(recipe.data, train=str(tmp_path / "none.csv"))))
    with pytest.raises(BadRecipe, match="overlay"):
        open_sides(replace(recipe, data=replace(recipe.data, train=str(drawn_shards), overlay="keep")))


def test_a_patient_in_both_tables_is_refused(tmp_path, drawn_table):
    header, *rows = drawn_table.read_text().splitlines()
    folder = drawn_table.parent
    other = folder / "other.csv"
    try:
        other.write_text("\n".join([header, rows[0].replace(",train,", ",val,"), *rows[4::5]]) + "\n")
        recipe = small()
        data = replace(recipe.data, train=str(drawn_table), validate=str(other))
        with pytest.raises(BadRecipe, match="on two sides"):
            open_sides(replace(recipe, data=data))
        assert open_sides(replace(recipe, data=replace(data, allow_leaks=True))).held is not None
    finally:
        other.unlink(missing_ok=True)


def test_a_folder_with_a_run_is_not_written_over(tmp_path, drawn_shards):
    recipe = small(epochs=1)
    recipe = replace(recipe, data=replace(recipe.data, train=str(drawn_shards)))
    said: list[str] = []
    folder = pretrain(recipe, tmp_path / "run", say=said.append)
    assert folder == tmp_path / "run" / "model"
    assert any("32 pairs to train on, 8 to choose by" in line for line in said)
    with pytest.raises(OutputError, match="holds a run"):
        pretrain(recipe, tmp_path / "run", resume=False)


def test_a_corrupt_shard_in_the_run_is_counted_and_named(tmp_path, drawn_shards):
    import shutil

    broken = tmp_path / "shards"
    shutil.copytree(drawn_shards, broken)
    shard = sorted(broken.glob("train-*.tar"))[1]
    data = bytearray(shard.read_bytes())
    data[600:5000] = b"x" * 4400  # pictures and headers
    shard.write_bytes(data)
    recipe = small(epochs=1)
    told: list[str] = []
    allowed = replace(recipe, data=replace(recipe.data, train=str(broken), max_bad=0.9))
    pretrain(allowed, tmp_path / "run", say=told.append)
    (line,) = [one for one in told if "cannot be read" in one]
    assert shard.name in line
    strict = replace(recipe, data=replace(recipe.data, train=str(broken), max_bad=0.01))
    with pytest.raises(fetalclip.errors.InputError, match=shard.name):
        pretrain(strict, tmp_path / "strict", say=told.append)


@pytest.mark.slow
def test_a_start_in_openclips_layout_gets_its_table_resized(tmp_path, drawn_shards, few_words):
    recipe = small(epochs=1)
    words = replace(recipe.model.text, vocab_size=49408, context_length=77)
    first = replace(
        recipe,
        model=replace(recipe.model, text=words),
        data=replace(recipe.data, train=str(drawn_shards)),
    )
    model = pretrain(first, tmp_path / "first")
    assert main(["models", "export-openclip", str(model), "--out", str(tmp_path / "openclip")]) == 0
    second = replace(first, model=replace(recipe.model, start=str(tmp_path / "openclip")))
    made = fetalclip.load(pretrain(second, tmp_path / "second"))
    table = made.encoder.model.text.positional_embedding
    assert table.shape == (117, 32)
    assert torch.isfinite(table).all()
