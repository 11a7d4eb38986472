"""One frame: the seed and the number choose a street, a light and a camera, and draw them."""

from dataclasses import dataclass
from math import radians

import numpy as np
from numpy.typing import NDArray

from segbench.types import Image, Size

from .camera import Camera
from .canvas import Canvas
from .furniture import furniture
from .light import random_light
from .paint import COATS, paint, tint
from .shade import shade
from .street import Kind, draw_ground, random_street

SMOOTHING = 2


@dataclass(frozen=True)
class Scene:
    """A picture with its ground truth in Cityscapes' ids.

    ``image`` is uint8 (H, W, 3), ``label_ids`` uint8 (H, W), ``instance_ids`` uint16 (H, W).
    """

    image: Image
    label_ids: NDArray[np.uint8]
    instance_ids: NDArray[np.uint16]
    camera: Camera
    kind: Kind


def draw_scene(seed: int, number: int, size: Size) -> Scene:
    """Frame ``number`` of the set with that ``seed``, independent of other frames.

    The result is deterministic, but another version of Pillow may draw a few edge pixels
    differently.
    """
    rng = np.random.default_rng(np.random.SeedSequence((seed, number)))
    camera = _random_camera(rng, size)
    light = random_light(rng)
    street = random_street(rng)
    canvas = Canvas(camera.enlarged(SMOOTHING), light)
    draw_ground(canvas, rng, street)
    for thing in furniture(rng, street):
        thing.draw(canvas, rng)
    if rng.random() < 0.3:
        _draw_bonnet(canvas, rng)
    numbers = canvas.part_map()[::SMOOTHING, ::SMOOTHING]
    label_ids = np.array([part.label for part in canvas.parts], np.uint8)[numbers]
    instance_ids = np.array([part.instance for part in canvas.parts], np.uint16)[numbers]
    image = shade(canvas, rng, SMOOTHING)
    return Scene(image, label_ids, instance_ids, camera, street.kind)


def _random_camera(rng: np.random.Generator, size: Size) -> Camera:
    return Camera(
        size,
        focal=float(rng.uniform(1.6, 2.2)) * size[0],
        elevation=float(rng.uniform(1.2, 2.2)),
        pitch=radians(float(rng.uniform(-2, 5))),
        yaw=float(rng.uniform(-0.06, 0.06)),
        curve=float(rng.uniform(-0.002, 0.002)),
    )


def _draw_bonnet(canvas: Canvas, rng: np.random.Generator) -> None:
    """The bonnet of the camera's own car."""
    canvas.begin("ego vehicle")
    height = float(rng.uniform(0.06, 0.14))
    canvas.bonnet(height, tint(paint(rng, COATS), 0.7))
