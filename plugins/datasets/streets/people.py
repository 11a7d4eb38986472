"""People on foot and on two wheels, drawn flat like paper figures that face the camera."""

import numpy as np

from segbench.types import Color

from .canvas import Canvas
from .paint import COATS, DARK, METALS, SKINS, jitter, paint, pick, tint


def person(
    canvas: Canvas, rng: np.random.Generator, x: float, z: float, group: bool = False
) -> None:
    """A person who stands or walks."""
    canvas.begin("person", group)
    tall = float(rng.uniform(1.55, 1.9))
    stride = float(rng.uniform(0.08, 0.36))
    coat, trousers, skin = paint(rng, COATS), paint(rng, (*COATS, *METALS)), paint(rng, SKINS)
    hip, shoulder = 0.5 * tall, 0.82 * tall
    for side in (-1, 1):
        canvas.bar((x + side * stride, 0, z), (x + side * 0.07, hip, z), 0.18, trousers)
    swing = stride * 0.8
    for side in (-1, 1):
        canvas.bar((x + side * 0.2, shoulder, z), (x - side * swing, hip + 0.05, z), 0.11, coat)
    body = [(-0.23, shoulder), (0.23, shoulder), (0.2, hip - 0.08), (-0.2, hip - 0.08)]
    canvas.polygon([(x + dx, y, z) for dx, y in body], tint(coat, 1.06))
    if rng.random() < 0.4:
        bag = x + pick(rng, (-0.3, 0.3))
        canvas.disc((bag, hip + 0.1, z), 0.26, 0.34, paint(rng, COATS))
    _head(canvas, rng, x, 0.91 * tall, z, skin)


def bicycle(canvas: Canvas, rng: np.random.Generator, x: float, z: float, ahead: bool) -> None:
    """A bicycle seen from the side, or from behind when it heads ``ahead``."""
    canvas.begin("bicycle")
    coat = paint(rng, COATS)
    tyre = jitter(rng, DARK, 12)
    if ahead:
        canvas.disc((x, 0.34, z), 0.14, 0.7, tyre)
        canvas.bar((x, 0.5, z), (x, 0.95, z), 0.12, coat)
        canvas.bar((x - 0.32, 1.02, z), (x + 0.32, 1.02, z), 0.1, tyre)
        return
    inside = pick(rng, ((112, 110, 106), (136, 130, 122), (92, 100, 84)))
    for hub in (x - 0.52, x + 0.52):
        canvas.disc((hub, 0.35, z), 0.72, 0.72, tyre)
        canvas.disc((hub, 0.35, z), 0.52, 0.52, inside)
        canvas.disc((hub, 0.35, z), 0.12, 0.12, tyre)
    way = pick(rng, (-1, 1))
    saddle, crank, fork = (
        (x - way * 0.2, 0.92, z),
        (x - way * 0.05, 0.36, z),
        (x + way * 0.34, 0.88, z),
    )
    hub_back, hub_front = (x - way * 0.52, 0.35, z), (x + way * 0.52, 0.35, z)
    for start, end in (
        (saddle, crank), (crank, fork), (saddle, fork), (hub_back, crank), (hub_front, fork),
    ):  # fmt: skip
        canvas.bar(start, end, 0.09, coat)
    canvas.bar((saddle[0] - 0.16, 0.95, z), (saddle[0] + 0.16, 0.95, z), 0.1, tyre)
    canvas.bar(fork, (fork[0] + way * 0.08, 1.06, z), 0.1, tyre)


def motorcycle(canvas: Canvas, rng: np.random.Generator, x: float, z: float, ahead: bool) -> None:
    """A motorcycle seen from the side, or from behind when it heads ``ahead``."""
    canvas.begin("motorcycle")
    coat, tyre = paint(rng, COATS), jitter(rng, DARK, 12)
    if ahead:
        canvas.disc((x, 0.34, z), 0.3, 0.72, tyre)
        body = [(-0.36, 0.95), (0.36, 0.95), (0.24, 0.42), (-0.24, 0.42)]
        canvas.polygon([(x + dx, y, z) for dx, y in body], coat)
        canvas.bar((x - 0.18, 0.75, z), (x + 0.18, 0.75, z), 0.16, (210, 30, 30))
        canvas.bar((x - 0.48, 1.1, z), (x + 0.48, 1.1, z), 0.1, tyre)
        return
    way = pick(rng, (-1, 1))
    for hub in (x - 0.72, x + 0.72):
        canvas.disc((hub, 0.34, z), 0.7, 0.7, tyre)
        canvas.disc((hub, 0.34, z), 0.34, 0.34, (148, 148, 150))
    engine = [(-0.6, 0.36), (0.5, 0.36), (0.62, 0.7), (-0.5, 0.74)]
    canvas.polygon([(x + way * dx, y, z) for dx, y in engine], (84, 84, 88))
    body = [
        (-0.95, 0.92),
        (-0.3, 0.76),
        (0.1, 0.98),
        (0.6, 0.98),
        (0.8, 0.7),
        (0.1, 0.56),
        (-0.7, 0.6),
    ]
    canvas.polygon([(x + way * dx, y, z) for dx, y in body], coat)
    canvas.bar((x - way * 0.55, 0.86, z), (x, 0.82, z), 0.14, tyre)
    canvas.bar((x + way * 0.72, 0.34, z), (x + way * 0.4, 1.12, z), 0.12, (130, 130, 132))
    canvas.bar((x - way * 0.3, 0.3, z), (x - way * 0.95, 0.4, z), 0.12, (190, 190, 192))


def rider(canvas: Canvas, rng: np.random.Generator, x: float, z: float, ahead: bool) -> None:
    """A person on a saddle, seen from the side or from behind."""
    canvas.begin("rider")
    coat, trousers, skin = paint(rng, COATS), paint(rng, (*COATS, *METALS)), paint(rng, SKINS)
    lean = 0.0 if ahead else pick(rng, (-0.3, 0.3))
    hip, shoulder = (x - lean * 0.6, 0.98, z), (x + lean * 0.5, 1.5, z)
    if ahead:
        for side in (-1, 1):
            canvas.bar((x + side * 0.1, 0.95, z), (x + side * 0.2, 0.35, z), 0.17, trousers)
            canvas.bar((x + side * 0.2, 1.45, z), (x + side * 0.34, 1.06, z), 0.12, coat)
    else:
        knee, foot = (x + lean * 0.5, 0.72, z), (x - lean * 0.1, 0.28, z)
        canvas.bar(hip, knee, 0.19, trousers)
        canvas.bar(knee, foot, 0.15, trousers)
        canvas.bar(shoulder, (x + lean * 1.3, 1.08, z), 0.12, tint(coat, 0.9))
    canvas.bar((hip[0], hip[1] - 0.1, z), shoulder, 0.44 if ahead else 0.36, coat)
    _head(canvas, rng, x + lean * 0.8, 1.68, z, skin, helmet=rng.random() < 0.7)


def _head(
    canvas: Canvas, rng: np.random.Generator, x: float, y: float, z: float, skin: Color,
    helmet: bool = False,
) -> None:  # fmt: skip
    canvas.disc((x, y, z), 0.25, 0.31, skin)
    cover = (
        paint(rng, COATS) if helmet else jitter(rng, pick(rng, ((40, 30, 24), (120, 86, 50))), 14)
    )
    canvas.disc((x, y + 0.08, z), 0.29 if helmet else 0.26, 0.22 if helmet else 0.16, cover)
