"""Every encoder is a backbone."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from fetalclip.encoder import Encoder
from fetalclip.encoder.engine import Normalisation
from fetalclip.encoder.foreign import ForeignEncoder
from fetalclip.encoder.protocol import Backbone
from fetalclip.models.tiny import build_tiny


def test_the_own_encoder_is_one():
    _, model, tokenizer = build_tiny()
    own = Encoder(model, tokenizer, Normalisation(64, (0.5,) * 3, (0.5,) * 3), "cpu")
    assert isinstance(own, Backbone)
    assert own.has_text
    assert own.need_text() is None
    assert own.images([np.zeros((64, 64), np.uint8)]).shape == (1, own.dim)


@pytest.mark.parametrize("kind", [Encoder, ForeignEncoder])
@pytest.mark.parametrize("name", ["images", "texts", "alike", "need_text"])
def test_calls_take_the_same_arguments(kind, name):
    own, wanted = inspect.signature(getattr(kind, name)), inspect.signature(getattr(Backbone, name))
    assert list(own.parameters) == list(wanted.parameters)
