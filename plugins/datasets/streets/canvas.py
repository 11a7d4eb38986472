"""The painter's canvas: every pixel has the number of the part drawn there last.

A part is one polygon or disc of a thing, with its colour, label and depth in a table. Image,
labels and instances are all read from the same map of part numbers, so they agree to the pixel.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from segbench.types import Color

from ..cityscapes.labels import LABELS
from .camera import HORIZON, NEAR, Camera, Point
from .light import Light

LABEL_BY_NAME = {label.name: label for label in LABELS}


class Texture(NamedTuple):
    """How strongly a part's brightness follows each kind of noise."""

    grain: float = 0.0
    leaves: float = 0.0
    soil: float = 0.0
    joints: float = 0.0


SMOOTH = Texture(grain=0.02)
ROUGH = Texture(grain=0.07)
LEAFY = Texture(grain=0.06, leaves=0.22)
ASPHALT = Texture(grain=0.03, soil=0.06)
PAVING = Texture(grain=0.02, soil=0.05, joints=0.3)
GRASS = Texture(grain=0.06, leaves=0.06, soil=0.2)


class Part(NamedTuple):
    """One row of the table that the part numbers index."""

    colour: Color
    label: int
    instance: int
    depth: float
    texture: Texture


@dataclass
class Canvas:
    """Draw things from far to near: ``begin`` a thing, then add its parts in metres."""

    camera: Camera
    light: Light
    parts: list[Part] = field(default_factory=list)
    ground_parts: int = 0

    def __post_init__(self) -> None:
        height, width = self.camera.size
        self._map = Image.new("I", (width, height))
        self._draw = ImageDraw.Draw(self._map)
        self._shadow = Image.new("L", (width, height))
        self._draw_shadow = ImageDraw.Draw(self._shadow)
        self._counts: Counter[int] = Counter()
        self.begin("sky")
        self.parts.append(Part(self.light.sky_low, self._label, self._label, HORIZON, SMOOTH))

    def begin(self, name: str, group: bool = False) -> None:
        """Start a thing of the class ``name``; a group has no instance id."""
        label = LABEL_BY_NAME[name]
        self._label = self._instance = label.id
        if label.has_instances and not group:
            self._instance = label.id * 1000 + self._counts[label.id]
            self._counts[label.id] += 1

    def polygon(self, points: list[Point], colour: Color, texture: Texture = SMOOTH) -> None:
        """A flat polygon through street points."""
        pixels, depth = self.camera.outline(points)
        if pixels:
            self._draw.polygon(pixels, fill=self._add(colour, depth, texture))

    def disc(
        self, centre: Point, width: float, height: float, colour: Color, texture: Texture = SMOOTH
    ) -> None:
        """An ellipse of ``width`` x ``height`` metres that faces the camera."""
        seen = self.camera.view(centre)
        if seen[2] >= NEAR:
            u, v = self.camera.pixel(seen)
            scale = self.camera.focal / seen[2] / 2
            across, up = round(width * scale), round(height * scale)
            box = (u - across, v - up, u + across, v + up)
            self._draw.ellipse(box, fill=self._add(colour, seen[2], texture))

    def bar(self, start: Point, end: Point, width: float, colour: Color) -> None:
        """A straight bar between two points at the same z, seen from the front."""
        (x0, y0, z), (x1, y1, _) = start, end
        length = max(((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5, 1e-6)
        dx, dy = (y1 - y0) / length * width / 2, (x0 - x1) / length * width / 2
        corners = [(x0 + dx, y0 + dy, z), (x1 + dx, y1 + dy, z)]
        self.polygon([*corners, (x1 - dx, y1 - dy, z), (x0 - dx, y0 - dy, z)], colour)

    def bonnet(self, share: float, colour: Color) -> None:
        """A rounded shape over the lowest ``share`` of the image."""
        height, width = self.camera.size
        top = round(height * (1 - share))
        box = (-width // 8, top, width + width // 8, 2 * height - top)
        self._draw.ellipse(box, fill=self._add(colour, NEAR, SMOOTH))

    def shadow(self, points: list[Point], strength: float) -> None:
        """A shadow on the ground, drawn over earlier ones; 1 is darkest."""
        pixels, _ = self.camera.outline(points)
        if pixels:
            self._draw_shadow.polygon(pixels, fill=round(255 * strength))

    def end_ground(self) -> None:
        """Mark everything drawn so far, except the sky, as ground, which receives shadows."""
        self.ground_parts = len(self.parts)

    def part_map(self) -> NDArray[np.int32]:
        """The part number at each pixel, (H, W); 0 is the sky."""
        return np.asarray(self._map)

    def shadow_map(self) -> NDArray[np.uint8]:
        """The strength of the shadow on the ground at each pixel, (H, W)."""
        return np.asarray(self._shadow)

    def _add(self, colour: Color, depth: float, texture: Texture) -> int:
        self.parts.append(Part(colour, self._label, self._instance, depth, texture))
        return len(self.parts) - 1
