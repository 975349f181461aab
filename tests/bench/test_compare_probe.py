"""The small probe: it learns, and chooses its strength without the pictures it is judged on."""

from __future__ import annotations

import numpy as np
import pytest

from fetalclip.bench.compare_probe import fit_probe, need
from fetalclip.errors import MissingPackage, UsageError

pytest.importorskip("sklearn", reason="the probe needs scikit-learn")


def test_it_learns_what_a_line_can_part():
    rng = np.random.default_rng(0)
    names = np.array(["a", "b", "c"])[rng.integers(0, 3, 120)]
    x = rng.normal(size=(120, 6)).astype(np.float32)
    x[:, 0] += 8 * (names == "a")
    x[:, 1] += 8 * (names == "b")
    predict = fit_probe(1000 * x[:90], names[:90].tolist(), [str(i // 3) for i in range(90)])
    assert np.mean(np.array(predict(1000 * x[90:])) == names[90:]) > 0.9


def test_noise_is_not_learned():
    rng = np.random.default_rng(1)
    names = rng.choice(["a", "b"], 200).tolist()
    x = rng.normal(size=(200, 50)).astype(np.float32)
    predict = fit_probe(x[:150], names[:150], [str(i) for i in range(150)])
    assert np.mean(np.array(predict(x[150:])) == np.array(names[150:])) < 0.75


@pytest.mark.parametrize(("names", "groups"), [(["a", "a"], ["1", "2"]), (["a", "b"], ["1", "1"])])
def test_too_little_to_learn_from(names, groups):
    with pytest.raises(UsageError, match="two or more"):
        fit_probe(np.zeros((2, 3), np.float32), names, groups)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn", None)
    with pytest.raises(MissingPackage, match=r"fetalclip\[audit\]"):
        need()
