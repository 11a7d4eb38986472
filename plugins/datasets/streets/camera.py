"""A pinhole camera over a street, and the street's course in front of it.

Street coordinates are metres: x to the right, y up from the ground, z forward along the street.
The street's course shifts x with z, so that everything on the street follows it.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from math import cos, sin

import numpy as np
from numpy.typing import NDArray

from segbench.types import Size

Point = tuple[float, float, float]
Pixel = tuple[int, int]

NEAR = 0.5
HORIZON = 300.0


@dataclass(frozen=True)
class Camera:
    """``focal`` in pixels, ``elevation`` above the ground in metres, ``pitch`` down in radians.

    ``yaw`` (metres per metre) and ``curve`` (metres per square metre) are the street's course.
    """

    size: Size
    focal: float
    elevation: float
    pitch: float
    yaw: float = 0.0
    curve: float = 0.0

    @cached_property
    def rotation(self) -> tuple[float, float]:
        """Cosine and sine of the pitch."""
        return cos(self.pitch), sin(self.pitch)

    def enlarged(self, factor: int) -> "Camera":
        """The same view with ``factor`` times as many pixels along each side."""
        height, width = self.size
        return replace(self, size=(height * factor, width * factor), focal=self.focal * factor)

    def bend(self, z: float) -> float:
        """How far the street has moved to the right, z metres ahead."""
        return (self.yaw + self.curve * z) * z

    def view(self, point: Point) -> Point:
        """Camera coordinates of a street point: x right, y down, z along the optical axis."""
        x, y, z = point
        cosine, sine = self.rotation
        drop = self.elevation - y
        return x + self.bend(z), cosine * drop - sine * z, sine * drop + cosine * z

    def pixel(self, seen: Point) -> Pixel:
        """The pixel (column, row) of a point in camera coordinates, inside the image or not."""
        x, y, z = seen
        height, width = self.size
        return round(width / 2 + self.focal * x / z), round(height / 2 + self.focal * y / z)

    def outline(self, points: list[Point]) -> tuple[list[Pixel], float]:
        """A polygon's pixels and mean depth, clipped near the camera."""
        seen = [self.view(point) for point in points]
        if any(z < NEAR for _, _, z in seen):
            seen = _cut_near(seen)
        if len(seen) < 3:
            return [], HORIZON
        return [self.pixel(point) for point in seen], sum(z for _, _, z in seen) / len(seen)

    def ground(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Street x (H, W) and z (H, 1) of the ground under each pixel; z is HORIZON above it."""
        height, width = self.size
        cosine, sine = self.rotation
        rows = (np.arange(height, dtype=np.float64)[:, None] + 0.5 - height / 2) / self.focal
        columns = (np.arange(width, dtype=np.float64)[None] + 0.5 - width / 2) / self.focal
        depth = self.elevation / np.maximum(rows * cosine + sine, self.elevation / HORIZON)
        z = depth * (cosine - rows * sine)
        x = depth * columns - (self.yaw + self.curve * z) * z
        return x.astype(np.float32), z.astype(np.float32)


def _cut_near(points: list[Point]) -> list[Point]:
    """The part of a polygon beyond the plane z = NEAR (Sutherland-Hodgman)."""
    kept = []
    for (x0, y0, z0), (x1, y1, z1) in zip(points[-1:] + points[:-1], points, strict=True):
        if (z0 < NEAR) != (z1 < NEAR):
            t = (NEAR - z0) / (z1 - z0)
            kept.append((x0 + t * (x1 - x0), y0 + t * (y1 - y0), NEAR))
        if z1 >= NEAR:
            kept.append((x1, y1, z1))
    return kept
