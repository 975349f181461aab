"""``load`` and the model object: the same answer by every way in, and no file stops a batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import fetalclip
from fetalclip.api import FetalCLIP, load
from fetalclip.clinical.age_prompts import load_age_templates
from fetalclip.clinical.prompts import load_prompts
from fetalclip.encoder.engine import unit
from fetalclip.errors import BadCheckpoint, ModelNotFound, NoCalibration, NotAvailable, UsageError
from fetalclip.frame import Frame, spread
from fetalclip.models.tiny import SHOUT, build_tiny
from fetalclip.models.weights import save_folder
from fetalclip.overlay import mask_overlay, overlay_only
from fetalclip.phantom import PLANES, draw
from fetalclip.preprocess import prepare
from fetalclip.result import PlaneScores
from fetalclip.tasks import AgeRule, PlaneRule, SubplaneRule

TINY = "fetalclip-tiny"


@pytest.fixture(scope="module")
def model() -> FetalCLIP:
    return load(TINY, device="cpu")


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return [draw(plane, seed, profile="test").frame for seed, plane in enumerate(PLANES)]


@pytest.fixture
def files(frames, tmp_path):
    """Two pictures with a broken file between them, and one that is not there."""
    paths = [tmp_path / name for name in ("a.png", "b.png", "c.png", "missing.png")]
    Image.fromarray(frames[0].gray).save(paths[0])
    paths[1].write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    Image.fromarray(frames[1].gray).save(paths[2])
    return paths


def same(one: PlaneScores, other: PlaneScores) -> None:
    assert list(one.scores) == list(other.scores)
    assert dict(one.scores) == pytest.approx(dict(other.scores), abs=1e-6)
    assert one.outlier == pytest.approx(other.outlier, abs=1e-6)
    assert (one.label, one.abstained, one.reason) == (other.label, other.abstained, other.reason)


def test_the_tiny_model_is_the_same_every_time(model, frames):
    again = load(TINY, device="cpu")
    np.testing.assert_array_equal(again.encode_image(frames[:2]), model.encode_image(frames[:2]))
    np.testing.assert_array_equal(again.encode_text(["a heart"]), model.encode_text(["a heart"]))
    assert model.card.name == TINY


def test_the_public_name_is_this_load(model):
    assert fetalclip.load is load


def test_one_frame_gives_one_answer_and_a_list_a_list(model, frames):
    single = model.planes(frames[0])
    assert isinstance(single, PlaneScores)
    listed = model.planes([frames[0]])
    assert isinstance(listed, list)
    same(single, listed[0])
    assert model.planes([]) == []


def test_a_batch_answers_each_as_alone(model, frames):
    for frame, answer in zip(frames, model.planes(tuple(frames)), strict=True):
        same(answer, model.planes(frame))


def test_probabilities_are_of_the_published_nine(model, frames):
    answer = model.planes(frames[0])
    assert list(answer.scores) == list(load_prompts("planes-9"))
    assert sum(answer.scores.values()) == pytest.approx(1)


def test_prompts_by_name_by_set_and_by_file_are_one(model, frames, tmp_path):
    path = tmp_path / "mine.json"
    path.write_text('{"heart": ["fetal heart", "the heart"], "leg": ["a fetal leg"]}')
    by_file = model.planes(frames[0], prompts=path)
    assert list(by_file.scores) == ["thorax", "leg"]
    same(by_file, model.planes(frames[0], prompts=str(path)))
    same(by_file, model.planes(frames[0], prompts={"heart": ["fetal heart", "the heart"], "leg": ["a fetal leg"]}))
    same(model.planes(frames[0], prompts="planes-4"), model.planes(frames[0], prompts=load_prompts("planes-4")))


@pytest.mark.parametrize("prompts", [{}, {"a": ["x"]}, {"a": [], "b": ["y"]}, "no-such-set", ""])
def test_prompts_that_are_none_are_refused(model, frames, prompts):
    with pytest.raises(UsageError):
        model.planes(frames[0], prompts=prompts)
    with pytest.raises(UsageError):
        model.analyze([], prompts=prompts)


def test_embeddings_have_unit_length_unless_raw(model, frames):
    raw, whole = (model.encode_image(frames, normalize=n) for n in (False, True))
    assert (whole.shape, whole.dtype) == ((len(frames), 16), np.float32)
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(unit(raw), whole, rtol=1e-5, atol=1e-7)
    words = ["fetal heart", "a femur"]
    np.testing.assert_allclose(np.linalg.norm(model.encode_text(words), axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(unit(model.encode_text(words, normalize=False)), model.encode_text(words), rtol=1e-5)
    assert model.encode_text("a femur").shape == (1, 16)
    np.testing.assert_array_equal(model.encode_text("a femur")[0], model.encode_text(words)[1])
    assert model.encode_image([]).shape == model.encode_text([]).shape == (0, 16)


def test_scores_are_the_scaled_cosines_of_the_embeddings(model, frames):
    prompts = load_prompts("planes-4")
    classes = np.stack([model.encode_text(texts).mean(axis=0) for texts in prompts.values()])
    logits = model.encoder.scale * model.encode_image(frames[0]) @ unit(classes).T
    p = np.exp(logits[0] - logits.max())
    answer = model.planes(frames[0], prompts="planes-4")
    np.testing.assert_allclose(list(answer.scores.values()), p / p.sum(), atol=1e-5)


@pytest.mark.parametrize("overlay", ["mask", "keep", "only"])
def test_the_overlay_is_treated_as_asked(model, frames, overlay):
    frame = frames[0]
    treated = {"mask": mask_overlay, "only": overlay_only, "keep": lambda gray: gray}[overlay](frame.gray)
    wanted = model.encode_image(frame.with_pixels(treated), overlay="keep")
    np.testing.assert_allclose(model.encode_image(frame, overlay=overlay), wanted, rtol=1e-5, atol=1e-6)
    same(model.planes(frame, overlay=overlay), model.planes(frame.with_pixels(treated), overlay="keep"))


def test_an_unknown_overlay_mode_is_refused(model, frames, files):
    with pytest.raises(UsageError, match="overlay mode"):
        model.planes(frames[0], overlay="off")
    with pytest.raises(UsageError, match="overlay mode"):
        model.analyze(files, overlay="off")  # at the call, before the first file


def test_a_bad_file_is_a_line_and_the_rest_go_on(model, files):
    lines = list(model.analyze(files))
    assert [line.input.path for line in lines] == [str(path) for path in files]
    assert [line.error is None for line in lines] == [True, False, True, False]
    for line in lines:
        said = line.to_dict()
        assert said["provenance"]["model"] == TINY
        assert said["provenance"]["seconds"] >= 0
        if line.error:
            assert line.plane is None
            assert "Traceback" not in line.error
            assert said["biometry"] is None
    good = lines[0].to_dict()
    assert (good["input"]["kind"], good["input"]["frames"]) == ("image", 1)
    assert good["plane"]["scores"].keys() == load_prompts("planes-9").keys()


def test_analyze_answers_as_planes_does(model, frames, files):
    lines = list(model.analyze([files[0], files[2]]))
    for line, answer in zip(lines, model.planes(frames[:2]), strict=True):
        same(line.plane, answer)


def test_analyze_reads_one_file_at_a_time(model, files):
    lines = model.analyze(iter(files))
    assert next(lines).error is None
    files[2].unlink()
    assert [line.error is None for line in lines] == [False, False, False]


@pytest.mark.parametrize("tasks", [["hearts"], ["planes", "nonsense"], ["Planes"], "planes"])
def test_an_unknown_task_is_refused_at_the_call(model, files, tasks):
    with pytest.raises(UsageError, match="planes"):
        model.analyze(files, tasks)


def test_no_task_asked_none_answered(model, files):
    line = next(model.analyze(files, ()))
    assert (line.plane, line.error) == (None, None)


def test_spacing_by_table_goes_before_spacing_for_all(model, files):
    table = {"c.png": (0.3, 0.4)}
    lines = list(model.analyze(files, spacing=(0.1, 0.2), spacing_table=table))
    assert [line.input.mm_per_pixel for line in lines] == [(0.1, 0.2), None, (0.3, 0.4), None]
    assert next(model.analyze(files)).input.mm_per_pixel is None


def test_warnings_of_the_picture_and_of_the_answer_are_told(model, files, monkeypatch):
    from fetalclip.analysis import seen

    monkeypatch.setattr(seen, "prepare", lambda *args: replace(prepare(*args), warnings=("half is covered",)))
    monkeypatch.setattr(model._planes, "rule", replace(model._planes.rule, min_probability=1.0))
    line = next(model.analyze(files))
    assert line.plane.abstained
    assert line.warnings[:2] == (SHOUT, "half is covered")
    assert line.plane.reason in line.warnings[2]
    assert line.error is None


@pytest.fixture
def brains(model, monkeypatch):
    """The tiny model, calling every picture a brain."""
    monkeypatch.setattr(model._planes, "_answer", lambda scores, outlier: PlaneScores({"brain": 1.0}, outlier=outlier))
    return model


def test_subplanes_of_one_frame_and_of_a_list(model, frames):
    single = model.subplanes(frames[0])
    assert list(single.scores) == list(load_prompts("brain-3"))
    assert sum(single.scores.values()) == pytest.approx(1)
    assert not single.abstained  # uncalibrated: no least probability
    for frame, answer in zip(frames, model.subplanes(frames), strict=True):
        assert dict(answer.scores) == pytest.approx(dict(model.subplanes(frame).scores), abs=1e-6)
    assert model.subplanes([]) == []
    own = model.subplanes(frames[0], prompts={"a": ["x"], "b": ["y"]}, overlay="keep")
    assert list(own.scores) == ["a", "b"]


def test_a_brain_gets_its_subplane_from_the_same_embedding(brains, frames, files, monkeypatch):
    wanted = brains.subplanes(frames[0])
    calls = []
    images = brains.encoder.images
    monkeypatch.setattr(brains.encoder, "images", lambda pictures: calls.append(len(pictures)) or images(pictures))
    line = next(brains.analyze(files))
    assert calls == [1]
    assert dict(line.subplane.scores) == pytest.approx(dict(wanted.scores), abs=1e-6)
    said = line.to_dict()["subplane"]
    assert said == line.subplane.to_dict()
    assert said.keys() == line.to_dict()["plane"].keys()
    assert not any("subplane" in warning for warning in line.warnings)


def test_an_abstained_subplane_is_kept_and_warned_of(brains, files, monkeypatch):
    monkeypatch.setattr(brains._subplanes, "rule", replace(brains._subplanes.rule, min_probability=1.0))
    line = next(brains.analyze(files))
    assert line.subplane.abstained
    assert line.to_dict()["subplane"]["label"] in load_prompts("brain-3")
    assert line.warnings[-1] == f"subplane abstained: {line.subplane.reason}"
    assert line.error is None


def test_other_planes_and_refused_brains_have_no_subplane(model, files, monkeypatch):
    for answer in (PlaneScores({"femur": 1.0}), PlaneScores({"brain": 1.0}, abstained=True, reason="no")):
        monkeypatch.setattr(model._planes, "_answer", lambda scores, outlier, answer=answer: answer)
        line = next(model.analyze(files))
        assert line.plane == answer
        assert (line.subplane, line.to_dict()["subplane"]) == (None, None)
        assert not any("subplane" in warning for warning in line.warnings)
    assert next(model.analyze(files, ())).subplane is None


def test_a_model_keeps_its_rule_and_a_supervised_one_has_no_subplanes(model, frames, files, monkeypatch):
    rule = {"prompts": "brain-3", "temperature": 2.0, "min_probability": 0.9}
    card = replace(model.card, config={"subplanes": rule})
    assert FetalCLIP(card, model.encoder, PlaneRule())._subplanes.rule == SubplaneRule("brain-3", 2.0, 0.9)
    supervised = FetalCLIP(model.card, model.encoder, PlaneRule(classes=("brain",) * 16))
    with pytest.raises(NotAvailable, match="no sub-planes"):
        supervised.subplanes(frames[0])
    line = next(supervised.analyze(files))
    assert (line.plane.label, line.subplane) == ("brain", None)


AGE = AgeRule("age-5", 1.0, ((98.0, 98.0), (272.0, 272.0)), (4.0, 0.0, 0.0), 2.0, max_sd=1000.0)


@pytest.fixture
def dating(model, brains) -> FetalCLIP:
    """The tiny model with an age rule, calling every picture a brain."""
    card = replace(model.card, config={"age": AGE.to_config()})
    dated = FetalCLIP(card, model.encoder, PlaneRule())
    dated._planes = dated._analyst.planes = brains._planes
    return dated


def test_an_age_by_every_way_in_is_the_same(dating, frames, files):
    frame = frames[0].with_spacing(0.5)
    age = dating.age(frame)
    assert dating.age([frame]) == [age]
    assert not age.abstained
    assert dating.tasks == ("planes", "age")
    line = next(dating.analyze(files, spacing=(0.5, 0.5)))
    assert line.age == age
    said = line.to_dict()
    assert said["gestational_age"] == age.to_dict()
    assert said["gestational_age_biometry"] is None
    assert [w for w in line.warnings if w.startswith("age:")] == list(age.warnings)
    alone = next(dating.analyze(files, ("age",), spacing=(0.5, 0.5)))
    assert (alone.age, alone.plane) == (age, None)
    assert dating.age([]) == []


def test_a_picture_without_spacing_has_no_age(dating, frames, files):
    with pytest.raises(NoCalibration, match="--spacing-csv"):
        dating.age([frames[0].with_spacing(0.5), frames[1].with_spacing(None)])
    line = next(dating.analyze(files))
    assert line.error is None
    assert line.to_dict()["gestational_age"] is None
    assert any(w.startswith("no age:") and "--pixel-spacing" in w for w in line.warnings)
    wide = next(dating.analyze(files, spacing=(9.0, 9.0)))
    assert wide.error is None
    assert any(w.startswith("no age:") and "mm wide" in w for w in wide.warnings)


def test_only_the_models_own_heads_are_dated(dating, frames, files, monkeypatch):
    frame, options = frames[0].with_spacing(0.5), {"spacing": (0.5, 0.5)}
    with monkeypatch.context() as patch:
        patch.setattr(dating._planes, "_answer", lambda s, _: PlaneScores(s if "a" in s else {"brain": 1.0}))
        own = next(dating.analyze(files, prompts={"a": ["x"], "b": ["y"]}, **options))
        assert own.plane.label in ("a", "b")
        assert own.age == dating.age(frame)
        assert not own.age.abstained
    for answer in (PlaneScores({"femur": 1.0}), PlaneScores({"brain": 1.0}, abstained=True, reason="no")):
        monkeypatch.setattr(dating._planes, "_answer", lambda scores, outlier, answer=answer: answer)
        age = dating.age(frame)
        assert age.abstained
        assert "not a head plane" in age.note
        line = next(dating.analyze(files, **options))
        assert line.to_dict()["gestational_age"] is None
        assert f"no age: {age.note}" in line.warnings
    seen = iter([PlaneScores({"femur": 1.0}), PlaneScores({"brain": 1.0})])
    monkeypatch.setattr(dating._planes, "_answer", lambda scores, outlier: next(seen))
    assert [age.abstained for age in dating.age([frame, frame])] == [True, False]


def test_a_model_without_a_rule_gives_no_age_and_says_so_when_asked(model, frames, files):
    assert model.tasks == ("planes",)
    with pytest.raises(NotAvailable, match=f"{TINY} has no age rule"):
        model.age(frames[0])
    line = next(model.analyze(files))
    assert (line.age, line.to_dict()["gestational_age"]) == (None, None)
    assert not any("age" in w.split(":")[0] for w in line.warnings)
    asked = next(model.analyze(files, ("planes", "age")))
    assert (asked.error, asked.to_dict()["gestational_age"]) == (None, None)
    assert asked.warnings[-1] == f"no age: the model {TINY} has no age rule"
    supervised = FetalCLIP(
        replace(model.card, config={"age": AGE.to_config()}), model.encoder, PlaneRule(classes=("a",))
    )
    assert supervised.tasks == ("planes",)  # its embedding cannot be compared with texts


def test_an_unknown_model_is_told():
    with pytest.raises(ModelNotFound, match=TINY):
        load("fetalclip-tinny")


def test_a_known_model_without_weights_is_told():
    with pytest.raises(NotAvailable, match="fetalclip-vit-l-14"):
        load("fetalclip-vit-l-14")


def test_an_unknown_device_is_told():
    with pytest.raises(UsageError):
        load(TINY, device="abacus")


def test_a_folder_loads_and_a_damaged_one_is_told(model, frames, tmp_path):
    config, network, tokenizer = build_tiny()
    words = {"schema": "fetalclip.model/1", "name": "mine", "summary": "", "license": "CC0-1.0"}
    config = {**words, **config, "training": {}, "results": {}}
    folder = save_folder(network, tokenizer, config, tmp_path / "mine", "# mine\n")
    mine = load(folder)
    assert mine.card.name == "mine"
    # Half precision on disk: nearly the same direction.
    assert (mine.encode_image(frames) * model.encode_image(frames)).sum(axis=1).min() > 0.999
    line = next(mine.analyze([]), None)
    assert line is None
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(BadCheckpoint, match=r"model\.safetensors"):
        load(str(folder))


def test_scores_of_days_are_there_without_a_rule_and_lead_to_the_rules_age(model, dating, frames, tmp_path):
    frame = frames[0].with_spacing(0.5)
    scores = model.age_scores([frame])
    assert scores.shape == (1, 175)
    np.testing.assert_allclose(dating.age_scores([frame]), scores, atol=1e-5)
    days = AGE(scores).days[0]
    assert dating.age(frame).days == round(days)
    spacing = model.prepare(frame).mm_per_pixel[0]
    texts = load_age_templates().fill(140, spacing)
    cosines = model.encode_image(frame) @ model.encode_text(texts).T
    assert scores[0, 140 - 98] == pytest.approx(100 * cosines.mean(), abs=1e-4)
    mine = tmp_path / "mine.txt"
    mine.write_text("{pixel_spacing} mm, {weeks} weeks {day} days")
    assert not np.allclose(model.age_scores([frame], mine), scores)
    with pytest.raises(NoCalibration):
        model.age_scores([frames[0].with_spacing(None)])


def clip(path, pictures, codec="ffv1"):
    """Grey pictures as a clip without loss, 30 a second."""
    import av

    with av.open(str(path), "w", format="matroska") as target:
        stream = target.add_stream(codec, rate=30)
        stream.height, stream.width = pictures[0].shape
        stream.pix_fmt = "gray"
        stream.codec_context.thread_count = 1
        for picture in pictures:
            target.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="gray")))
        target.mux(stream.encode())


def test_a_clip_is_one_line_and_its_plane_is_the_mean(model, frames, tmp_path):
    path = tmp_path / "a.avi"  # the suffix says nothing
    rng = np.random.default_rng(0)
    still = frames[0].gray.astype(float)
    pictures = [(still * rng.uniform(0.6, 1.4, still.shape)).clip(0, 255).astype(np.uint8) for _ in range(20)]
    clip(path, pictures)
    line = next(model.analyze([path], ("planes", "age", "biometry"), spacing=(0.1, 0.2)))
    seen = line.input
    assert (seen.kind, seen.frames, seen.width, seen.height) == ("cine", 20, *still.shape[::-1])
    assert seen.mm_per_pixel == (0.1, 0.2)
    assert line.error is None
    assert any("mean of 16 of 20" in said for said in line.warnings)
    assert any("no biometry" in said for said in line.warnings)  # this model has no head
    assert line.biometry is None
    assert line.age.abstained  # nor an age rule
    kept = next(model.analyze([path], ["planes"], overlay="keep"))
    each = model.planes([Frame(pictures[index]) for index in spread(20, 16)], overlay="keep")
    for name, score in kept.plane.scores.items():
        assert score == pytest.approx(np.mean([one[name] for one in each]), abs=1e-5)
    assert sum(line.plane.scores.values()) == pytest.approx(1)


def test_the_age_of_a_clip_is_that_of_its_best_frame(dating, frames, tmp_path):
    rng = np.random.default_rng(1)
    still = frames[0].gray.astype(float)
    pictures = [(still * rng.uniform(0.6, 1.4, still.shape)).clip(0, 255).astype(np.uint8) for _ in range(5)]
    clip(tmp_path / "a.mkv", pictures)
    line = next(dating.analyze([tmp_path / "a.mkv"], spacing=(0.5, 0.5), overlay="keep"))
    best = Frame(pictures[line.input.best_frame.index], (0.5, 0.5))
    alone = dating.age(best, overlay="keep")
    assert not alone.abstained
    assert line.age == alone
    assert any("sub-plane, age of its best frame only" in said for said in line.warnings)


def test_a_broken_clip_stops_nothing(model, frames, tmp_path):
    paths = [tmp_path / name for name in ("a.mkv", "b.mp4", "c.gif", "d.mp4", "e.png")]
    clip(paths[0], [frame.gray[:200, :200] for frame in frames[:3]])
    paths[1].write_text("words")
    paths[2].write_bytes(b"GIF89a")
    paths[3].write_bytes(b"\0\0\0\x20ftypisom" + b"\0" * 60)
    Image.fromarray(frames[0].gray).save(paths[4])
    lines = list(model.analyze(paths))
    assert [line.error is None for line in lines] == [True, False, False, False, True]
    assert [line.input.kind for line in lines] == ["cine", None, None, None, "image"]
    assert "b.mp4" in lines[1].error
