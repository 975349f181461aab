"""What lies around the simulated plane: womb, placenta, amniotic fluid, limbs, the mother's belly wall."""

from __future__ import annotations

import numpy as np

from fetalclip.phantom.canvas import Canvas, Field, oval, ribbon, wavy


def surround(canvas: Canvas, outline: Field, scene: tuple[float, float], fan: bool) -> None:
    """Paint everything behind the fetus.

    Args:
        canvas: an empty canvas.
        outline: (N, 2) mm, the fetal part that will be drawn.
        scene: (echo strength of the womb in dB, probability of a visible pocket of amniotic fluid).
        fan: whether the probe's surface is on the picture, with the belly wall below it.
    """
    rng, s = canvas.rng, canvas.sector
    w, h = s.width * s.mm, s.height * s.mm
    level, fluid = scene
    canvas.echo += level + rng.uniform(-4, 4) + canvas.mottle(3, 5, 0.75) * np.float32(rng.uniform(3.5, 7))
    canvas.echo += canvas.streaks() * np.float32(rng.uniform(0.5, 3.0))
    canvas.loss += np.float32(rng.uniform(0.02, 0.10) * s.sample[0])
    centre = outline.mean(axis=0)
    if rng.random() < fluid:
        grow = rng.uniform(1.08, 1.45)
        shift = rng.normal(0, 0.10, 2) * np.array([w, h])
        ragged = wavy(rng, len(outline), 0.07, 6)[:, None] * np.array([grow * rng.uniform(1.0, 1.25), grow])
        pocket = centre + shift + (outline - centre) * ragged
        canvas.fill(pocket, rng.uniform(-44, -30), soft=1.0, loss=-0.03)
    _placenta(canvas, centre, (w, h))
    _limbs(canvas, outline, centre, (w, h))
    if fan:
        _belly(canvas)


def _placenta(canvas: Canvas, centre: Field, size: tuple[float, float]) -> None:
    rng, (w, h) = canvas.rng, size
    if rng.random() < 0.6:
        x = np.linspace(-0.1 * w, 1.1 * w, 40)
        top = rng.random() < 0.5
        edge = (rng.uniform(0.02, 0.2) if top else rng.uniform(0.82, 0.98)) * h
        y = edge + rng.uniform(-0.25, 0.25) * (x - w / 2) + 0.03 * h * np.sin(x / w * rng.uniform(2, 7))
        base = np.full(40, -0.5 * h if top else 1.5 * h)
        bank = np.concatenate([np.stack([x, y], 1), np.stack([x, base], 1)[::-1]])
        canvas.fill(bank, rng.uniform(-5, 3), soft=1.0)
        canvas.add(bank, canvas.mottle(12, 4, 0.9) * np.float32(rng.uniform(1, 3)))
        canvas.fill(ribbon(np.stack([x, y], 1), rng.uniform(0.8, 2.5), 1.0), rng.uniform(0, 7), soft=0.8)


def _limbs(canvas: Canvas, outline: Field, centre: Field, size: tuple[float, float]) -> None:
    rng, w = canvas.rng, size[0]
    for _ in range(int(rng.integers(0, 4))):
        edge = outline[rng.integers(len(outline))]
        at = edge + (edge - centre) * rng.uniform(0.15, 0.5)
        long = rng.uniform(0.08, 0.22) * w
        limb = oval(
            (float(at[0]), float(at[1])), long, long * rng.uniform(0.4, 0.8), rng.uniform(0, 3), wavy(rng, 40, 0.1)
        )
        canvas.fill(limb, rng.uniform(-8, 4), soft=1.0)
        canvas.add(limb, canvas.mottle(25, 2) * np.float32(3.0))
        if rng.random() < 0.5:
            bone = oval((float(at[0]), float(at[1])), long * 0.5, long * 0.12, rng.uniform(-0.6, 0.6))
            canvas.fill(bone, rng.uniform(6, 14), soft=0.5, mirror=0.3, loss=2.0)


def _belly(canvas: Canvas) -> None:
    """Layers of skin, fat, muscle and womb below the probe, at equal depth on every beam."""
    rng, s = canvas.rng, canvas.sector
    depth = s.top + np.arange(s.shape[0]) * s.sample[0]  # mm below the probe
    deep = rng.uniform(8, 18)
    layers = np.zeros(len(depth))
    for _ in range(int(rng.integers(4, 9))):
        at, thick = rng.uniform(0, deep), rng.uniform(0.4, 1.6)
        layers += rng.uniform(-5, 11) * np.exp(-(((depth - at) / thick) ** 2))
    share = 1 / (1 + np.exp(np.clip((depth - deep) / 1.2, -30, 30)))
    column = np.asarray(share, dtype=np.float32)[:, None]
    canvas.echo += (np.asarray(rng.uniform(-8, -2) + layers, dtype=np.float32)[:, None] - canvas.echo) * column
