"""Cars, trucks, buses and trams of many sizes and paints."""

import numpy as np

from .body import (
    Heading,
    Outline,
    Pose,
    hull,
    lamps,
    pane,
    plate,
    wheels,
    windows,
)
from .canvas import Canvas
from .paint import COATS, DARK, GLASS, METALS, jitter, paint, pick, tint

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


def car_pose(rng: np.random.Generator, x: float, z: float, heading: Heading) -> Pose:
    """A car's size."""
    u = rng.uniform
    return Pose(x, z, float(u(3.8, 4.7)), float(u(1.7, 1.9)), float(u(1.4, 1.75)), heading)


def car(canvas: Canvas, rng: np.random.Generator, pose: Pose) -> None:
    """A saloon, an estate or a small van."""
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

    for draw in (draw_cab, draw_box) if pose.heading == "away" else (draw_box, draw_cab):
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
    canvas.polygon([(x - 0.7, y + 0.9, z), (x + 0.7, y + 0.9, z), (x, y, z)], DARK)
