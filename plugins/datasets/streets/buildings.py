"""Houses, walls and fences along the sides of the street."""

import numpy as np

from segbench.types import Color

from .camera import Point
from .canvas import ROUGH, Canvas
from .paint import (
    COATS,
    FOLIAGE,
    GLASS,
    LAMP,
    METALS,
    SOILS,
    STONES,
    jitter,
    paint,
    pick,
    tint,
)  # fmt: skip


def side_shade(canvas: Canvas, x: float) -> float:
    """The light on a face that looks across the street from x."""
    return canvas.light.left if x > 0 else canvas.light.right


def facing(x: float, start: float, end: float, low: float, high: float) -> list[Point]:
    """A rectangle along the street."""
    return [(x, low, start), (x, high, start), (x, high, end), (x, low, end)]


def frontal(left: float, right: float, z: float, low: float, high: float) -> list[Point]:
    """A rectangle that faces the camera."""
    return [(left, low, z), (left, high, z), (right, high, z), (right, low, z)]


def building(canvas: Canvas, rng: np.random.Generator, x: float, start: float, end: float) -> None:
    """A house with its front along the street at x, and the gable end that faces the camera."""
    canvas.begin("building")
    stone = paint(rng, STONES)
    storey = float(rng.uniform(2.8, 3.5))
    storeys = int(rng.integers(1, 6))
    height = storey * storeys + 0.8
    out = 1 if x > 0 else -1
    back = x + out * float(rng.uniform(6, 11))
    if rng.random() < 0.5:
        ridge = height + float(rng.uniform(1.5, 3.5))
        roof = paint(rng, (*STONES, *METALS))
        middle = (x + back) / 2
        canvas.polygon(
            [(x, height, start), (middle, ridge, start), (middle, ridge, end), (x, height, end)],
            roof,
            ROUGH,
        )
        canvas.polygon(
            [(x, height, start), (middle, ridge, start), (back, height, start)], stone, ROUGH
        )
    canvas.polygon(frontal(min(x, back), max(x, back), start, 0, height), stone, ROUGH)
    shade = side_shade(canvas, x)
    canvas.polygon(facing(x, start, end, 0, height), tint(stone, shade), ROUGH)
    bay = float(rng.uniform(2.2, 3.4))
    wide, tall = bay * float(rng.uniform(0.35, 0.6)), storey * float(rng.uniform(0.4, 0.62))
    glass = [_glass(canvas, rng) for _ in range(5)]
    shop = rng.random() < 0.5
    if shop:
        sign = tint(paint(rng, COATS), shade)
        canvas.polygon(facing(x, start + 0.4, end - 0.4, storey * 0.82, storey), sign)
    for floor in range(storeys):
        low = floor * storey + storey * 0.3
        full = shop and floor == 0
        for k in range(int((end - start) / bay)):
            z = start + (k + 0.5) * bay
            half = bay * 0.42 if full else wide / 2
            pane = facing(
                x, z - half, z + half, 0.3 if full else low, storey * 0.78 if full else low + tall
            )
            canvas.polygon(pane, tint(pick(rng, glass), 1.0 if full else shade))
        for k in range(int(abs(back - x) / bay)):
            u = x + out * (k + 0.5) * bay
            canvas.polygon(
                frontal(u - wide / 2, u + wide / 2, start, low, low + tall), pick(rng, glass)
            )


def wall(canvas: Canvas, rng: np.random.Generator, x: float, start: float, end: float) -> None:
    """A wall without windows: courses of stone under a coping."""
    canvas.begin("wall")
    stone = paint(rng, STONES)
    height = float(rng.uniform(2.0, 3.8))
    shade = side_shade(canvas, x)
    thick = x + (0.5 if x > 0 else -0.5)
    canvas.polygon(frontal(min(x, thick), max(x, thick), start, 0, height), stone, ROUGH)
    canvas.polygon(facing(x, start, end, 0, height), tint(stone, shade), ROUGH)
    course = float(rng.uniform(0.35, 0.6))
    for k in range(1, int(height / course)):
        y = k * course
        canvas.polygon(facing(x, start, end, y, y + 0.07), tint(stone, shade * 0.72))
    canvas.polygon(facing(x, start, end, height - 0.06, height + 0.14), tint(stone, shade * 1.2))


def fence(canvas: Canvas, rng: np.random.Generator, x: float, start: float, end: float) -> None:
    """Posts and rails, with the garden's colour between them."""
    canvas.begin("fence")
    height = float(rng.uniform(1.6, 2.6))
    shade = side_shade(canvas, x)
    between = tint(paint(rng, (*FOLIAGE, *SOILS)), 0.8)
    wood = paint(
        rng, ((150, 112, 76), (222, 220, 212), (96, 100, 98), (60, 84, 66), (176, 150, 116))
    )
    wood = tint(wood, shade)
    canvas.polygon(facing(x, start, end, 0, height * 0.94), between, ROUGH)
    gap = float(rng.uniform(0.5, 0.9))
    for k in range(int((end - start) / gap), -1, -1):
        z = start + k * gap
        canvas.polygon(facing(x, z, min(z + gap * 0.45, end), 0, height), wood)
    for y in (height * 0.2, height * 0.8):
        canvas.polygon(facing(x, start, end, y, y + 0.12), tint(wood, 0.8))


def skyline(canvas: Canvas, rng: np.random.Generator, z: float) -> None:
    """Far houses and trees that close the street's end."""
    x = -160.0
    while x < 160:
        width = float(rng.uniform(10, 30))
        name = pick(rng, ("building", "vegetation"))
        canvas.begin(name)
        choices = STONES if name == "building" else FOLIAGE
        colour = paint(rng, choices)
        high = float(rng.uniform(4, 16))
        if name == "building":
            canvas.polygon(frontal(x, x + width, z, 0, high), colour, ROUGH)
        else:
            canvas.disc((x + width / 2, 2, z), width * 1.3, high * 1.3, colour, ROUGH)
        x += width * 0.9


def _glass(canvas: Canvas, rng: np.random.Generator) -> Color:
    if rng.random() < canvas.light.lit:
        return jitter(rng, LAMP, 12)
    return jitter(rng, pick(rng, (GLASS, GLASS, (92, 112, 130))), 14)
