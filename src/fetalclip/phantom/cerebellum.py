"""Simulated axial head through the cerebellum: a view of its own, and not one to measure the head on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetalclip.phantom.canvas import Canvas, Field, oval, ribbon, wavy
from fetalclip.phantom.head import Head, Point, Put
from fetalclip.phantom.shape import pair, within

_AROUND = 48  # points of a lobe's outline


@dataclass(frozen=True)
class HindHead(Head):
    """Skull ring, midline with cavum, and behind them the cerebellum with the cisterna magna.

    The cerebellum is two rounded lobes with bright edges and folia, and a brighter vermis between them; the cisterna is
    the fluid from there to the occiput. The bodies of the lateral ventricles lie above the plane.
    """

    def _brain(self, canvas: Canvas, centre: Point, depth: float) -> None:
        rng, put = canvas.rng, self._put(centre)
        middle = float(rng.uniform(-0.05, 0.05))
        for side in (-1, 1):  # the lower thalami
            turned = self.angle + side * rng.uniform(0.2, 0.6)
            spot = oval(put(0.0, middle + side * 0.15), 0.22 * self.ofd, 0.15 * self.bpd, turned)
            canvas.fill(spot, depth - rng.uniform(1, 4), soft=0.02 * self.bpd)
        self._gyri(canvas, put, depth)
        for side in (-1, 1):  # frontal horns, insula
            self._stroke(canvas, put, [(0.28, middle + side * 0.2), (0.48, middle + side * 0.28)], 0.9, depth + 18)
            level = depth + rng.uniform(8, 17)
            self._stroke(canvas, put, [(0.3, side * 0.52), (0.12, side * 0.46), (-0.1, side * 0.55)], 1.0, level)
        self._midline(canvas, put, middle, depth)
        self._hindbrain(canvas, put, middle, depth)

    def _hindbrain(self, canvas: Canvas, put: Put, middle: float, depth: float) -> None:
        """Cerebellum and cisterna magna, over the back of the midline."""
        rng = canvas.rng
        wide = rng.uniform(0.43, 0.52) * self.bpd  # of the cerebellum, mm: 20 of 47 at 20 weeks
        long = rng.uniform(0.30, 0.38) * wide  # of a lobe, mm, along the head
        at = float(rng.uniform(-0.58, -0.50))
        fossa = oval(put(at - 0.06, middle), 2.6 * long, 1.3 * wide, self.angle)
        canvas.fill(fossa, depth + rng.uniform(12, 17), soft=2.0)
        deep = rng.uniform(4.0, 8.0)  # of the cisterna, mm
        behind = at - (1.2 * long + 0.5 * deep) / (0.5 * self.ofd)
        pool = oval(put(behind, middle), 1.3 * deep, 0.95 * wide, self.angle)
        canvas.fill(pool, depth - 16, soft=0.6)
        lobes = []
        for side in (-1, 1):
            turned = self.angle - side * rng.uniform(0.05, 0.35)
            centre = put(at, middle + side * 0.52 * wide / self.bpd)
            lobe = oval(centre, 2 * long, 0.52 * wide, turned, wavy(rng, _AROUND, 0.03, 5))
            canvas.fill(lobe, depth + rng.uniform(8, 12), soft=0.4)
            canvas.add(lobe, canvas.mottle(60, 2, 0.8) * np.float32(5.0))
            self._folia(canvas, lobe, depth)
            lobes.append(lobe)
        vermis = oval(put(at, middle), 1.3 * long, 0.2 * wide, self.angle)
        canvas.fill(vermis, depth + rng.uniform(11, 16), soft=0.5)
        canvas.mask("cerebellum", *lobes, vermis)
        canvas.mask("cisterna magna", pool)
        self._measure(canvas, np.concatenate(lobes))

    def _folia(self, canvas: Canvas, lobe: Field, depth: float) -> None:
        """A bright edge, and broken fine bright lines within."""
        rng, heart = canvas.rng, lobe.mean(axis=0)
        level = depth + rng.uniform(20, 26) + (wavy(rng, _AROUND, 1.0, 9) - 1) * 2
        canvas.shell(lobe, rng.uniform(0.8, 1.3), level, mirror=0.3, loss=0.0)
        for share in (0.75, 0.5, 0.25):
            ring = heart + share * (lobe - heart)
            for start in range(0, _AROUND - 6, 7):
                if rng.random() < 0.6:
                    canvas.fill(ribbon(ring[start : start + 6], 0.5), depth + rng.uniform(11, 17), soft=0.3)

    def _measure(self, canvas: Canvas, lobes: Field) -> None:
        """The transcerebellar diameter: across the head, from the outer edge of one lobe to that of the other."""
        across = np.array([-np.sin(self.angle), np.cos(self.angle)])
        along = lobes @ across
        one, other = lobes[int(along.argmin())], lobes[int(along.argmax())]
        canvas.calipers["TCD"] = pair(one, one + across * float((other - one) @ across))
        canvas.truth["tcd_mm"] = float(np.ptp(along))

    def _hide(self, canvas: Canvas, centre: Point) -> None:
        (inner,) = canvas.shapes["brain"]
        for name in ("cerebellum", "cisterna magna"):
            canvas.mask(name, *[within(outline, inner, centre) for outline in canvas.shapes[name]])
