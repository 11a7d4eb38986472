"""A street's cross-section, and everything flat on the ground."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from segbench.types import Color

from .camera import Point
from .canvas import ASPHALT, GRASS, PAVING, SMOOTH, Canvas, Texture
from .paint import PAVINGS, ROADS, SOILS, jitter, paint, pick, tint

Kind = Literal["um", "umm", "uu"]
KINDS: tuple[Kind, ...] = ("um", "umm", "uu")
FAR = 120.0


@dataclass(frozen=True)
class Side:
    """One side of the street from the kerb outwards, as distances from the street's middle line.

    The parking strip, the tram tracks and the grass are empty if their edges are equal.
    """

    sign: int
    kerb: float
    parking: float
    rails: float
    pavement: float
    front: float

    def x(self, middle: float, distance: float) -> float:
        """The street x at a distance from the middle line."""
        return middle + self.sign * distance


@dataclass(frozen=True)
class Street:
    """``kind`` is KITTI Road's category: one marked lane each way, several, or unmarked.

    ``middle`` is the x of the middle line; the camera drives in the right-hand half at x = 0.
    """

    kind: Kind
    lane: float
    lanes: int
    middle: float
    left: Side
    right: Side


def random_street(rng: np.random.Generator) -> Street:
    """A street's cross-section."""
    kind = pick(rng, KINDS)
    lane = float(rng.uniform(2.7, 3.5))
    lanes = 2 if kind == "umm" else 1
    middle = -(int(rng.integers(lanes)) + 0.5) * lane + float(rng.uniform(-0.5, 0.5))
    tram_side = pick(rng, (-1, 1, 0, 0, 0))
    left, right = (_random_side(rng, sign, lanes * lane, tram_side == sign) for sign in (-1, 1))
    return Street(kind, lane, lanes, middle, left, right)


def _random_side(rng: np.random.Generator, sign: int, kerb: float, tram: bool) -> Side:
    parking = kerb + (2.3 if not tram and rng.random() < 0.3 else 0.0)
    rails = parking + (3.2 if tram else 0.0)
    pavement = rails + float(rng.uniform(1.6, 3.4))
    front = pavement + (float(rng.uniform(2.0, 5.0)) if rng.random() < 0.6 else 0.0)
    return Side(sign, kerb, parking, rails, pavement, front)


def draw_ground(canvas: Canvas, rng: np.random.Generator, street: Street) -> None:
    """Terrain, pavements, parking strips, rails, the road and its markings, and shadows."""
    soil, paving, asphalt = paint(rng, SOILS), paint(rng, PAVINGS), paint(rng, ROADS)
    canvas.begin("terrain")
    _strip(canvas, -300, 300, soil, GRASS)
    for side in (street.left, street.right):
        inner, *edges = (
            side.x(street.middle, d) for d in (side.kerb, side.parking, side.rails, side.pavement)
        )
        canvas.begin("sidewalk")
        _strip(canvas, inner, edges[2], paving, PAVING)
        kerb = inner + side.sign * 0.18
        if side.parking > side.kerb:
            canvas.begin("parking")
            _strip(canvas, inner, edges[0], jitter(rng, asphalt, 14), PAVING)
            kerb = edges[0] + side.sign * 0.18
        if side.rails > side.parking:
            canvas.begin("rail track")
            _strip(canvas, edges[0], edges[1], paint(rng, (*PAVINGS, *SOILS)), GRASS)
            for gauge in (0.8, 2.3):
                rail = edges[0] + side.sign * gauge
                _strip(canvas, rail, rail + 0.12, (120, 116, 112), SMOOTH)
            kerb = edges[1] + side.sign * 0.18
        canvas.begin("sidewalk")
        _strip(canvas, kerb - side.sign * 0.18, kerb, tint(paving, 1.2), SMOOTH)
    canvas.begin("road")
    half = street.lanes * street.lane
    _strip(canvas, street.middle - half, street.middle + half, asphalt, ASPHALT)
    if street.kind != "uu":
        _markings(canvas, rng, street)
    elif rng.random() < 0.5:
        _strip(canvas, street.middle - 0.03, street.middle + 0.03, tint(asphalt, 0.8), SMOOTH)
    if rng.random() < 0.25:
        _crossing(canvas, rng, street)
    _shadows(canvas, rng, street)
    canvas.end_ground()


def _strip(canvas: Canvas, x0: float, x1: float, colour: Color, texture: Texture) -> None:
    """A band along the whole street; several pieces, so that it can bend."""
    bounds = (-3.0, 6.0, 12.0, 20.0, 32.0, 50.0, 80.0, FAR * 2)
    left: list[Point] = [(x0, 0, z) for z in bounds]
    right: list[Point] = [(x1, 0, z) for z in reversed(bounds)]
    canvas.polygon(left + right, colour, texture)


def _markings(canvas: Canvas, rng: np.random.Generator, street: Street) -> None:
    white = jitter(rng, pick(rng, ((226, 226, 222), (226, 226, 222), (222, 190, 90))), 10)
    for k in range(-street.lanes, street.lanes + 1):
        x = street.middle + k * street.lane
        if abs(k) == street.lanes:
            inner = x - 0.25 * k / abs(k)
            _strip(canvas, inner - 0.08, inner + 0.08, white, SMOOTH)
            continue
        z = float(rng.uniform(0, 4))
        while z < 60:
            canvas.polygon(
                [(x - 0.1, 0, z), (x - 0.1, 0, z + 3), (x + 0.1, 0, z + 3), (x + 0.1, 0, z)], white
            )
            z += 7


def _crossing(canvas: Canvas, rng: np.random.Generator, street: Street) -> None:
    z, half = float(rng.uniform(7, 25)), street.lanes * street.lane
    x = street.middle - half + 0.3
    while x < street.middle + half - 0.5:
        canvas.polygon(
            [(x, 0, z), (x, 0, z + 3), (x + 0.5, 0, z + 3), (x + 0.5, 0, z)], (214, 214, 208)
        )
        x += 1.0


def _shadows(canvas: Canvas, rng: np.random.Generator, street: Street) -> None:
    strength = canvas.light.shadow
    side = street.left if canvas.light.left < canvas.light.right else street.right
    for _ in range(int(rng.integers(1, 5))):
        z, length = float(rng.uniform(2, 50)), float(rng.uniform(3, 15))
        start, reach = side.x(street.middle, side.front), float(rng.uniform(4, 12))
        skew = float(rng.uniform(-3, 3))
        end = start - side.sign * reach
        canvas.shadow(
            [
                (start, 0, z),
                (end, 0, z + skew),
                (end, 0, z + skew + length),
                (start, 0, z + length),
            ],
            strength,
        )
