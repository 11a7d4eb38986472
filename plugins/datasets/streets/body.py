"""The body of a vehicle: a side profile extruded to a width, and what is attached to it."""

from dataclasses import dataclass
from itertools import pairwise
from math import cos, pi, sin
from typing import Literal

from segbench.types import Color

from .camera import Point
from .canvas import Canvas
from .paint import DARK, tint

Heading = Literal["away", "towards", "left", "right"]
Outline = tuple[tuple[float, float], ...]

WHEEL = [(cos(2 * pi * k / 12), sin(2 * pi * k / 12)) for k in range(12)]


@dataclass(frozen=True)
class Pose:
    """The position of a box: its centre line at x, its nearest point at z, and its heading.

    Inside the box ``along`` runs 0..1 from back to front and ``across`` -1..1 over the width.
    """

    x: float
    z: float
    length: float
    width: float
    height: float
    heading: Heading

    def at(self, along: float, up: float, across: float) -> Point:
        """The street coordinates of a point in the box."""
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
        """The part of the box between two positions along it."""
        x, _, z0 = self.at(start, 0, -1)
        x1, _, z1 = self.at(end, 0, -1)
        x = self.x if self.heading in ("away", "towards") else (x + x1) / 2
        length = self.length * (end - start)
        return Pose(x, min(z0, z1), length, self.width, self.height * height, self.heading)


def hull(canvas: Canvas, pose: Pose, profile: Outline, colour: Color, slanted: Color) -> None:
    """The body: the profile's edges drawn across the width from far to near, then its side.

    Slanted edges (windscreens) get the colour ``slanted``.
    """
    edges = []
    for (a0, y0), (a1, y1) in pairwise(profile):
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
    """A flat shape on the side that the camera sees."""
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
    """A shape on the end that the camera sees, between two corners (across, up)."""
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
