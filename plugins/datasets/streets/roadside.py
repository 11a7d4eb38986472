"""Objects along the street: poles with lights and signs, trees, hedges and bins."""

import numpy as np

from .canvas import LEAFY, ROUGH, Canvas
from .paint import COATS, DARK, FOLIAGE, METALS, jitter, paint, pick, tint

RED, YELLOW, GREEN = (236, 44, 36), (246, 190, 44), (56, 214, 122)


def pole(canvas: Canvas, rng: np.random.Generator, x: float, z: float, height: float) -> None:
    """A bare pole; lamp posts and poles with lights and signs start with one."""
    canvas.begin("pole")
    metal = paint(rng, METALS)
    width = float(rng.uniform(0.2, 0.36))
    canvas.bar((x, 0, z), (x, height, z), width, metal)
    canvas.bar((x + width / 4, 0, z), (x + width / 4, height, z), width / 3, tint(metal, 1.3))


def lamp_post(canvas: Canvas, rng: np.random.Generator, x: float, z: float) -> None:
    """A tall pole with an arm over the street."""
    height = float(rng.uniform(5, 8))
    pole(canvas, rng, x, z, height)
    reach = -1.6 if x > 0 else 1.6
    metal = paint(rng, METALS)
    canvas.bar((x, height, z), (x + reach, height + 0.25, z), 0.16, metal)
    canvas.bar(
        (x + reach, height + 0.2, z), (x + reach * 1.4, height + 0.2, z), 0.3, tint(metal, 1.2)
    )


def traffic_light(canvas: Canvas, rng: np.random.Generator, x: float, z: float) -> None:
    """A traffic light on a pole, sometimes a second one on an arm over the street."""
    height = float(rng.uniform(2.9, 3.6))
    arm = rng.random() < 0.5
    top = float(rng.uniform(4.6, 5.4)) if arm else height
    pole(canvas, rng, x, z, top)
    places = [(x, height - 0.4)]
    if arm:
        over = x + (-1 if x > 0 else 1) * float(rng.uniform(1.8, 3.4))
        canvas.bar((x, top, z), (over, top, z), 0.16, paint(rng, METALS))
        places.append((over, top - 0.5))
    state = pick(rng, (0, 1, 2))
    canvas.begin("traffic light")
    case = paint(rng, (DARK, (44, 60, 48), (188, 150, 40), (150, 150, 146), (206, 206, 200)), 24)
    for u, v in places:
        board = [
            (u - 0.36, v + 0.75),
            (u + 0.36, v + 0.75),
            (u + 0.36, v - 0.75),
            (u - 0.36, v - 0.75),
        ]
        canvas.polygon([(a, b, z) for a, b in board], case)
        for k, colour in enumerate((RED, YELLOW, GREEN)):
            lamp = colour if k == state else tint(colour, 0.3)
            canvas.disc((u, v + 0.44 - 0.44 * k, z), 0.38, 0.38, lamp)


def traffic_sign(canvas: Canvas, rng: np.random.Generator, x: float, z: float) -> None:
    """A round, three-cornered, square or direction sign on a pole."""
    height = float(rng.uniform(2.3, 2.9))
    pole(canvas, rng, x, z, height)
    canvas.begin("traffic sign")
    shape = pick(rng, ("round", "round", "warning", "square", "direction"))
    half = float(rng.uniform(0.42, 0.62))
    if shape == "round":
        rim, face = pick(rng, (((206, 30, 36), (240, 240, 240)), ((28, 82, 170), (40, 100, 190))))
        canvas.disc((x, height, z), 2 * half, 2 * half, jitter(rng, rim, 30))
        canvas.disc((x, height, z), 1.4 * half, 1.4 * half, jitter(rng, face, 30))
        canvas.bar((x - half * 0.4, height, z), (x + half * 0.4, height, z), half * 0.3, DARK)
    elif shape == "warning":
        for size, colour in ((half * 1.25, (206, 30, 36)), (half * 0.8, (244, 236, 214))):
            corners = [
                (x - size, height - size * 0.7),
                (x, height + size),
                (x + size, height - size * 0.7),
            ]
            canvas.polygon([(u, v, z) for u, v in corners], jitter(rng, colour, 30))
        canvas.bar((x, height - half * 0.3, z), (x, height + half * 0.4, z), 0.12, DARK)
    else:
        wide = half * (2.2 if shape == "direction" else 1.0)
        board, mark = pick(
            rng, (((28, 82, 170), (240, 240, 240)), ((244, 214, 60), DARK), ((240, 240, 240), DARK))
        )
        for size, colour in ((1.0, mark), (0.86, jitter(rng, board, 30))):
            a, b = wide * size, half * size
            canvas.polygon(
                [
                    (x - a, height - b, z),
                    (x - a, height + b, z),
                    (x + a, height + b, z),
                    (x + a, height - b, z),
                ],
                colour,
            )
        canvas.bar((x - wide * 0.5, height, z), (x + wide * 0.5, height, z), half * 0.3, mark)


def tree(canvas: Canvas, rng: np.random.Generator, x: float, z: float) -> None:
    """A trunk under a crown of leaves."""
    canvas.begin("vegetation")
    height = float(rng.uniform(4, 9))
    trunk = jitter(rng, (92, 74, 58), 16)
    canvas.bar((x, 0, z), (x, height * 0.6, z), float(rng.uniform(0.25, 0.5)), trunk)
    leaves = paint(rng, FOLIAGE)
    spread = height * float(rng.uniform(0.2, 0.3))
    for _ in range(8):
        u, v = rng.uniform(-1, 1, size=2)
        size = spread * float(rng.uniform(0.9, 1.5))
        centre = (x + float(u) * spread, height * 0.68 + float(v) * spread * 0.9, z)
        canvas.disc(centre, size, size, jitter(rng, tint(leaves, 1 + 0.16 * float(v)), 8), LEAFY)


def hedge(
    canvas: Canvas, rng: np.random.Generator, x: float, start: float, end: float, height: float
) -> None:
    """Bushes along the street from ``start`` to ``end``."""
    canvas.begin("vegetation")
    leaves = paint(rng, FOLIAGE)
    z = end
    while z > start:
        size = height * float(rng.uniform(1.0, 1.5))
        centre = (x + float(rng.uniform(-0.3, 0.3)), height * 0.42, z)
        canvas.disc(centre, size * 1.3, size, jitter(rng, leaves, 10), LEAFY)
        z -= height * 0.45


def bin(canvas: Canvas, rng: np.random.Generator, x: float, z: float) -> None:
    """A waste bin or a cabinet, labelled "static", which is not scored."""
    canvas.begin("static")
    coat = paint(rng, (*COATS, *METALS))
    wide, high = float(rng.uniform(0.3, 0.6)), float(rng.uniform(0.8, 1.4))
    front = [(x - wide, 0, z), (x - wide, high, z), (x + wide, high, z), (x + wide, 0, z)]
    canvas.polygon(front, coat, ROUGH)
    canvas.bar((x - wide, high, z), (x + wide, high, z), 0.14, tint(coat, 0.6))
