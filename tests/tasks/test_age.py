"""The age task, over an encoder whose texts are known vectors."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from fetalclip.clinical.age_prompts import DAYS, AgeTemplates, load_age_templates
from fetalclip.clinical.dating import widen
from fetalclip.encoder.store import PromptStore
from fetalclip.errors import BadCheckpoint, BadValue, CircularAge, NoCalibration
from fetalclip.frame import Frame
from fetalclip.preprocess import prepare
from fetalclip.result import PlaneScores
from fetalclip.tasks.age import AgeScorer, AgeTask, applies, prompt_spacing
from fetalclip.tasks.age_rule import AgeRule, published_days

RULE = AgeRule("age-5", 1.0, ((98.0, 98.0), (272.0, 272.0)), (4.0, 0.0, 0.0), 2.0)
TWO = AgeTemplates("two", ("at {weeks} w {day} d, {pixel_spacing}", "{pixel_spacing}: {weeks} w {day} d again"))


class Known:
    """Texts on a half circle by the day they state, half as far at twice the spacing; counts what it is asked."""

    scale, dim = 10.0, 2

    def __init__(self, store=None):
        self.asked, self.later, self.store = [], [], store

    def alike(self, texts, later=()):
        assert not later or len(later) == len(texts)
        self.asked += texts
        self.later += later
        return np.array([self.vector(text) for text in texts], np.float32)

    @staticmethod
    def vector(text):
        spacing = float(re.search(r"\d\.\d\d", text)[0])
        weeks, day = map(int, re.findall(r"\d+", text.replace(f"{spacing:.2f}", ""))[:2])
        angle = (7 * weeks + day - 98) / 175 * math.pi * spacing
        return [3 * math.cos(angle), 3 * math.sin(angle)]


def picture(day, spacing=1.0):
    angle = (day - 98) / 175 * math.pi * spacing
    return np.array([[5 * math.cos(angle), 5 * math.sin(angle)]], np.float32)


def ready(shape=(100, 200), mm_per_pixel=(0.5, 0.5), size=50):
    return prepare(Frame(np.zeros(shape, np.uint8), mm_per_pixel), size)


def test_scores_are_the_published_ones():
    """100 times the cosine with every text, averaged over the templates of a day."""
    encoder, image = Known(), np.array([[1.0, 0.3], [0.2, 1.0]], np.float32)
    found = AgeScorer(encoder, TWO)(image, [0.5, 1.004])
    assert found.shape == (2, 175)
    for row, spacing in enumerate((0.5, 1.0)):
        for column in (0, 7, 174):
            vectors = [np.array(Known.vector(text)) for text in TWO.fill(DAYS[column], spacing)]
            cosines = [v @ image[row] / np.linalg.norm(v) / np.linalg.norm(image[row]) for v in vectors]
            assert found[row, column] == pytest.approx(100 * np.mean(cosines), abs=1e-4)


def test_each_spacing_is_encoded_once_and_rows_stay_with_their_pictures():
    encoder = Known()
    scorer = AgeScorer(encoder, TWO)
    images = np.concatenate([picture(120, 0.5), picture(200, 1.0), picture(240, 0.5)])
    scores = scorer(images, [0.5, 1.0, 0.501])
    assert len(encoder.asked) == 2 * 2 * 175
    np.testing.assert_allclose(published_days(scores), [120, 200, 240], atol=1)
    scorer(images[:1], [0.4999])
    assert len(encoder.asked) == 2 * 2 * 175
    assert scorer(np.zeros((0, 2), np.float32), []).shape == (0, 175)


def test_a_spacing_alone_names_others_to_come_and_several_do_not():
    encoder = Known()
    scorer = AgeScorer(encoder, TWO)
    scorer(picture(120), [0.5])
    assert encoder.later == [text for day in DAYS for text in TWO.fill(day, 9.99)]
    scorer(np.concatenate([picture(120)] * 2), [0.6, 0.7])
    assert len(encoder.later) == 2 * 175
    AgeScorer(nine := Known(), TWO)(picture(120), [9.5])
    assert "8.88" in nine.later[0]


def test_tables_are_kept_on_disk_by_templates_and_spacing(tmp_path):
    store = PromptStore(tmp_path / "prompts.sqlite", "model")
    first = AgeScorer(Known(store), TWO)(picture(150), [0.5])
    again = Known(store)
    np.testing.assert_array_equal(AgeScorer(again, TWO)(picture(150), [0.5]), first)
    assert again.asked == []
    AgeScorer(again, TWO)(picture(150), [0.51])
    assert len(again.asked) == 350
    AgeScorer(again, AgeTemplates("two", TWO.templates[:1]))(picture(150), [0.5])
    assert len(again.asked) == 350 + 175
    other = Known(PromptStore(tmp_path / "prompts.sqlite", "another model"))
    AgeScorer(other, TWO)(picture(150), [0.5])
    assert len(other.asked) == 350


def test_more_spacings_than_memory_holds_are_all_answered(monkeypatch):
    monkeypatch.setattr("fetalclip.tasks.age._TABLES", 3)
    scorer = AgeScorer(Known(), TWO)
    spacings = [0.5, 0.6, 0.7, 0.8, 0.5]
    images = np.concatenate([picture(150, s) for s in spacings])
    np.testing.assert_allclose(published_days(scorer(images, spacings)), 150, atol=1)
    assert len(scorer._tables) == 3


@pytest.mark.parametrize("spacing", [0.0, -1.0, 0.001, float("nan")])
def test_a_spacing_that_is_none_is_told(spacing):
    with pytest.raises(BadValue, match="pixel spacing"):
        AgeScorer(Known(), TWO)(picture(120), [spacing])


def test_an_age_has_both_intervals_and_its_names():
    found = AgeTask(Known(), RULE)(np.concatenate([picture(150), picture(200)]), [1.0, 1.0])
    for age, day in zip(found, (150, 200), strict=True):
        assert age.days == pytest.approx(day, abs=3)
        assert (age.model_low, age.model_high) == pytest.approx((age.days - 8, age.days + 8), abs=1)
        wide = widen(age.model_low, age.model_high)
        assert (age.low, age.high) == pytest.approx((wide.low, wide.high), abs=2)
        assert age.low < age.model_low < age.days < age.model_high < age.high
        assert all(isinstance(n, int) for n in (age.days, age.low, age.high, age.model_low, age.model_high))
        assert (age.level, age.method, age.reference) == (0.9, "prompted", "WHO 2017 V3 HC")
        assert not age.abstained
    assert found[0].note == ""
    assert "re-dating" in found[1].note
    (warning,) = found[1].warnings
    assert warning.startswith("age: no basis for re-dating: after 24w0d")


def test_every_note_is_one_warning():
    (age,) = AgeTask(Known(), replace(RULE, spread=(60.0, 0.0, 0.0)))(picture(200), [1.0])
    starts, ends, redating = age.warnings
    assert "14w0d: the true age may be lower" in starts
    assert "40w0d: the true age may be higher" in ends
    assert "re-dating" in redating


def test_the_json_form_has_the_keys_of_the_design():
    (age,) = AgeTask(Known(), RULE)(picture(150), [1.0])
    said = age.to_dict()
    keys = ["days", "low", "high", "level", "model_low", "model_high", "method", "meaning", "reference"]
    assert list(said) == keys
    assert said["meaning"] == "age whose WHO median is this head; interval = model error + chart spread"


def test_a_doubtful_posterior_gets_no_age():
    (age,) = AgeTask(Known(), replace(RULE, max_sd=0.5))(picture(150), [1.0])
    assert age.abstained
    assert (age.days, age.low, age.model_high) == (None, None, None)
    assert age.warnings == ("no age: no age is much likelier than the others",)


def test_no_centile_can_be_asked_with_it():
    from fetalclip.clinical.growth import chart

    (age,) = AgeTask(Known(), RULE)(picture(150), [1.0])
    with pytest.raises(CircularAge):
        chart("who-2017-v3-hc").centile(175.0, age)


def test_a_rule_with_templates_that_are_not_bundled_is_a_damaged_model():
    with pytest.raises(BadCheckpoint, match="'mine'"):
        AgeTask(Known(), replace(RULE, templates="mine"))
    assert AgeTask(Known(), RULE).scorer.templates == load_age_templates("age-5")


def test_the_spacing_is_that_of_the_padded_and_resized_square():
    assert prompt_spacing(ready((540, 800), (0.1, 0.1), 224)) == pytest.approx(0.1 * 800 / 224)
    assert prompt_spacing(ready((800, 540), (0.1, 0.1), 224)) == pytest.approx(0.1 * 800 / 224)
    assert prompt_spacing(ready(mm_per_pixel=(0.5, 0.505))) == pytest.approx(4 * math.sqrt(0.5 * 0.505))


def test_no_spacing_is_no_calibration_and_says_what_to_pass():
    with pytest.raises(NoCalibration) as error:
        prompt_spacing(ready(mm_per_pixel=None))
    for words in ("mm_per_pixel=", "--pixel-spacing", "--spacing-csv"):
        assert words in str(error.value)
    with pytest.raises(NoCalibration, match="none is known: the units of its 2D tissue region are not cm"):
        prompt_spacing(ready(mm_per_pixel=None), {"uncalibrated": "the units of its 2D tissue region are not cm"})


@pytest.mark.parametrize(
    ("spacing", "told"), [((0.5, 0.52), "0.5 x 0.52 mm"), ((0.05, 0.05), "10 mm wide"), ((3.0, 3.0), "600 mm wide")]
)
def test_pixels_that_are_not_square_and_absurd_spacings_are_told(spacing, told):
    with pytest.raises(BadValue, match=told):
        prompt_spacing(ready(mm_per_pixel=spacing))


def test_it_is_asked_of_heads():
    head = {"brain": 0.9, "femur": 0.1}
    assert applies(PlaneScores(head)) == ""
    assert applies(PlaneScores({"brain": 0.1, "femur": 0.9})) == "not a head plane (femur)"
    assert applies(PlaneScores(head, abstained=True)).startswith("not a head plane")
