"""Cars, trucks, buses and trams: a side profile drawn out to a width, with glass and wheels."""

from dataclasses import dataclass
from math import cos, pi, sin
from typing import Literal

import numpy as np

from segbench.scenes.camera import Point
from segbench.scenes.canvas import SMOOTH, Canvas
from segbench.scenes.paint import COATS, DARK, GLASS, METALS, jitter, paint, pick, tint
from segbench.types import Color

Heading = Literal["away", "towards", "left", "right"]
Outline = tuple[tuple[float, float], ...]

SEDAN: Outline = (
    (0, 0.2),
    (0, 0.62),
    (0.13, 0.66),
    (0.25, 1),
    (0.6, 1),
    (0.75, 0.64),
    (1, 0.52),
    (1, 0.2),
)
WAGON: Outline = ((0, 0.2), (0, 0.6), (0.06, 1), (0.58, 1), (0.74, 0.62), (1, 0.5), (1, 0.2))
VAN: Outline = ((0, 0.2), (0, 0.95), (0.03, 1), (0.74, 1), (0.88, 0.6), (1, 0.46), (1, 0.2))
CAB: Outline = ((0, 0.1), (0, 1), (0.7, 1), (1, 0.55), (1, 0.1))
BLOCK: Outline = ((0, 0.1), (0, 0.97), (0.02, 1), (0.98, 1), (1, 0.97), (1, 0.1))
NOSE: Outline = ((0, 0.1), (0, 0.6), (0.05, 1), (0.95, 1), (1, 0.6), (1, 0.1))
WHEEL = [(cos(2 * pi * k / 12), sin(2 * pi * k / 12)) for k in range(12)]


@dataclass(frozen=True)
class Pose:
    """Where a box stands: its centre line at x, its nearest point at z, and where it heads.

    Inside the box ``along`` runs 0..1 from back to front and ``across`` -1..1 over the width.
    """

    x: float
    z: float
    length: float
    width: float
    height: float
    heading: Heading

    def at(self, along: float, up: float, across: float) -> Point:
        """The street point of a place in the box."""
        y = up * self.height
        if self.heading in ("away", "towards"):
            ahead = along if self.heading == "away" else 1 - along
            return self.x + across * self.width / 2, y, self.z + ahead * self.length
        forward = along - 0.5 if self.heading == "right" else 0.5 - along
        return self.x + forward * self.length, y, self.z + (across + 1) / 2 * self.width

    def near_side(self, canvas: Canvas) -> float:
        """Which of the two sides the camera sees."""
        if self.heading in ("away", "towards"):
            return -1.0 if self.x + canvas.camera.bend(self.z) > 0 else 1.0
        return -1.0

    def part(self, start: float, end: float, height: float = 1.0) -> "Pose":
        """The box between two places along this one."""
        x, _, z0 = self.at(start, 0, -1)
        x1, _, z1 = self.at(end, 0, -1)
        x = self.x if self.heading in ("away", "towards") else (x + x1) / 2
        length = self.length * (end - start)
        return Pose(x, min(z0, z1), length, self.width, self.height * height, self.heading)


def hull(canvas: Canvas, pose: Pose, profile: Outline, colour: Color, slanted: Color) -> None:
    """The body: the profile's edges drawn across the width from far to near, then its side.

    Edges that lean (windscreens) get the colour ``slanted``.
    """
    edges = []
    for (a0, y0), (a1, y1) in zip(profile, profile[1:], strict=False):
        corners = [pose.at(a0, y0, -1), pose.at(a1, y1, -1), pose.at(a1, y1, 1), pose.at(a0, y0, 1)]
        leans = abs(a1 - a0) > 0.01 and abs(y1 - y0) > 0.2
        shade = 0.88 if a0 == a1 else 1.08
        edges.append((corners, slanted if leans else tint(colour, shade)))
    for corners, face in sorted(edges, key=lambda edge: -sum(z for _, _, z in edge[0])):
        canvas.polygon(corners, face)
    side = pose.near_side(canvas)
    shade = canvas.light.left if side < 0 else canvas.light.right
    canvas.polygon([pose.at(a, y, side) for a, y in profile], tint(colour, shade))


def pane(canvas: Canvas, pose: Pose, outline: Outline, colour: Color) -> None:
    """A flat piece on the side that the camera sees."""
    side = pose.near_side(canvas)
    canvas.polygon([pose.at(a, y, side) for a, y in outline], colour)


def windows(canvas: Canvas, pose: Pose, span: Outline, count: int, colour: Color) -> None:
    """A row of ``count`` side windows between two opposite corners."""
    (start, low), (end, high) = span
    step = (end - start) / count
    for k in range(count):
        a, b = start + k * step, start + (k + 0.84) * step
        pane(canvas, pose, ((a, low), (a, high), (b, high), (b, low)), colour)


def plate(canvas: Canvas, pose: Pose, span: Outline, colour: Color) -> None:
    """A piece on the end that the camera sees, between two corners (across, up)."""
    (left, low), (right, high) = span
    end = 1 if pose.heading == "towards" else 0
    corners = ((left, low), (left, high), (right, high), (right, low))
    if pose.heading in ("away", "towards"):
        canvas.polygon([pose.at(end, y, across) for across, y in corners], colour)


def lamps(canvas: Canvas, pose: Pose, up: float) -> None:
    """Head lamps on a front, tail lamps on a back."""
    colour = (246, 240, 206) if pose.heading == "towards" else (206, 26, 30)
    for left in (-0.95, 0.6):
        plate(canvas, pose, ((left, up), (left + 0.35, up + 0.1)), colour)


def wheels(canvas: Canvas, pose: Pose, places: tuple[float, ...], radius: float) -> None:
    """Wheels of ``radius`` metres on the side that the camera sees."""
    for along in places:
        for size, colour in ((radius, DARK), (radius * 0.5, (150, 150, 154))):
            a, y = size / pose.length, size / pose.height
            centre = radius / pose.height
            pane(canvas, pose, tuple((along + a * c, centre + y * s) for c, s in WHEEL), colour)


def shade_ground(canvas: Canvas, pose: Pose) -> None:
    """The shadow under a vehicle."""
    corners = ((-0.02, -1.08), (1.02, -1.08), (1.02, 1.08), (-0.02, 1.08))
    canvas.shadow([pose.at(a, 0, across) for a, across in corners], 1.0)


def car_pose(rng: np.random.Generator, x: float, z: float, heading: Heading) -> Pose:
    """A car's size."""
    u = rng.uniform
    return Pose(x, z, float(u(3.8, 4.7)), float(u(1.7, 1.9)), float(u(1.4, 1.75)), heading)


def car(canvas: Canvas, rng: np.random.Generator, pose: Pose) -> None:
    """A saloon, an estate or a van of the size of a car."""
    canvas.begin("car")
    profile = pick(rng, (SEDAN, SEDAN, WAGON, WAGON, VAN))
    coat = paint(rng, COATS)
    glass = jitter(rng, GLASS, 14)
    hull(canvas, pose, profile, coat, glass)
    pane(canvas, pose, ((0.2, 0.64), (0.28, 0.93), (0.42, 0.93), (0.42, 0.64)), glass)
    pane(canvas, pose, ((0.45, 0.64), (0.45, 0.93), (0.58, 0.93), (0.7, 0.64)), glass)
    if profile is not SEDAN or pose.heading == "towards":
        plate(canvas, pose, ((-0.78, 0.62), (0.78, 0.92 if profile is not SEDAN else 0.66)), glass)
    plate(canvas, pose, ((-1, 0.18), (1, 0.3)), tint(coat, 0.5))
    lamps(canvas, pose, 0.44)
    wheels(canvas, pose, (0.2, 0.8), 0.34)


def truck_pose(rng: np.random.Generator, x: float, z: float, heading: Heading) -> Pose:
    """A truck's size."""
    u = rng.uniform
    return Pose(x, z, float(u(6.5, 9.5)), float(u(2.2, 2.5)), float(u(2.9, 3.7)), heading)


def truck(canvas: Canvas, rng: np.random.Generator, pose: Pose) -> None:
    """A cab and a box (or a low bed) behind it."""
    canvas.begin("truck")
    cab, box = pose.part(0.76, 1.0, float(rng.uniform(0.7, 0.85))), pose.part(0.0, 0.73)
    coat, load = paint(rng, COATS), paint(rng, (*COATS, *METALS))
    glass = jitter(rng, GLASS, 14)

    def draw_cab() -> None:
        hull(canvas, cab, CAB, coat, glass)
        pane(canvas, cab, ((0.3, 0.55), (0.3, 0.9), (0.68, 0.9), (0.86, 0.55)), glass)
        if pose.heading == "towards":
            plate(canvas, cab, ((-0.85, 0.2), (0.85, 0.38)), tint(coat, 0.5))
            lamps(canvas, cab, 0.14)

    def draw_box() -> None:
        hull(canvas, box, BLOCK, load, load)
        pane(canvas, box, ((0.02, 0.1), (0.02, 0.2), (0.98, 0.2), (0.98, 0.1)), DARK)
        if pose.heading == "away":
            plate(canvas, box, ((-0.03, 0.22), (0.03, 0.95)), tint(load, 0.55))
            plate(canvas, box, ((-1, 0.1), (1, 0.2)), DARK)
            lamps(canvas, box, 0.12)

    pose_order = (draw_cab, draw_box) if pose.heading == "away" else (draw_box, draw_cab)
    for draw in pose_order:
        draw()
    wheels(canvas, pose, (0.12, 0.26, 0.86), 0.48)


def bus_pose(rng: np.random.Generator, x: float, z: float, heading: Heading) -> Pose:
    """A bus's size."""
    return Pose(x, z, float(rng.uniform(9, 12)), 2.5, float(rng.uniform(2.9, 3.2)), heading)


def bus(canvas: Canvas, rng: np.random.Generator, pose: Pose) -> None:
    """A bus: a row of large windows over a painted belt, a line display, wheels."""
    canvas.begin("bus")
    coat, belt = paint(rng, COATS), paint(rng, COATS)
    glass = jitter(rng, GLASS, 14)
    hull(canvas, pose, BLOCK, coat, coat)
    pane(canvas, pose, ((0, 0.16), (0, 0.38), (1, 0.38), (1, 0.16)), tint(belt, 0.9))
    windows(canvas, pose, ((0.03, 0.46), (0.99, 0.86)), 6, glass)
    plate(canvas, pose, ((-0.9, 0.42), (0.9, 0.82)), glass)
    plate(canvas, pose, ((-0.55, 0.86), (0.55, 0.95)), (238, 168, 40))
    plate(canvas, pose, ((-1, 0.1), (1, 0.2)), tint(belt, 0.6))
    lamps(canvas, pose, 0.22)
    wheels(canvas, pose, (0.22, 0.78), 0.5)


def tram_pose(rng: np.random.Generator, x: float, z: float, heading: Heading) -> Pose:
    """A tram's size."""
    return Pose(x, z, float(rng.uniform(18, 28)), 2.5, float(rng.uniform(3.3, 3.6)), heading)


def tram(canvas: Canvas, rng: np.random.Generator, pose: Pose) -> None:
    """A tram, the train of the street: long, a pointed nose, a dark skirt, a pantograph."""
    canvas.begin("train")
    coat, belt = paint(rng, COATS), paint(rng, COATS)
    glass = jitter(rng, GLASS, 14)
    hull(canvas, pose, NOSE, coat, glass)
    pane(canvas, pose, ((0, 0.1), (0, 0.22), (1, 0.22), (1, 0.1)), DARK)
    pane(canvas, pose, ((0, 0.28), (0, 0.36), (1, 0.36), (1, 0.28)), belt)
    windows(canvas, pose, ((0.06, 0.48), (0.95, 0.84)), 12, glass)
    plate(canvas, pose, ((-1, 0.1), (1, 0.22)), DARK)
    plate(canvas, pose, ((-0.12, 0.48), (0.12, 0.58)), (250, 246, 210))
    plate(canvas, pose, ((-0.9, 0.26), (0.9, 0.34)), belt)
    x, y, z = pose.at(0.5, 1.0, 0)
    canvas.polygon([(x - 0.7, y + 0.9, z), (x + 0.7, y + 0.9, z), (x, y, z)], DARK, SMOOTH)
