"""KITTI's bird's-eye view: the mapping from the road plane to image pixels.

The KITTI Road server scores on the road plane rather than in the image, so that a metre far away
counts as much as one close by. This is the mapping of its development kit: flat road, nearest
pixel, 1-based pixel positions within 1..width and 1..height, then truncated to integers.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from segbench.data.layouts import read_file
from segbench.errors import DataError
from segbench.types import Size

CELL = 0.05
LEFT, RIGHT = -10.0, 10.0
NEAR, FAR = 6.0, 46.0
BIRDS_EYE_SIZE: Size = (800, 400)

_LENGTHS = {"P2": 12, "R0_rect": 9, "Tr_cam_to_road": 12}

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True)
class Calibration:
    """The three matrices of a frame for the bird's-eye view, in row-major order.

    ``p2`` (3x4) projects onto the left colour camera's image, ``r0_rect`` (3x3) rectifies,
    ``tr_cam_to_road`` (3x4) takes camera to road coordinates in metres: x right, y down, z ahead.
    """

    p2: tuple[float, ...]
    r0_rect: tuple[float, ...]
    tr_cam_to_road: tuple[float, ...]

    def road_to_image(self) -> NDArray[np.float64]:
        """The (3, 3) matrix from (x, z, 1) on the road, in metres, to the image's (u, v, 1)."""
        rectify = np.eye(4)
        rectify[:3, :3] = np.reshape(self.r0_rect, (3, 3))
        cam_to_road = np.vstack([np.reshape(self.tr_cam_to_road, (3, 4)), (0, 0, 0, 1)])
        project = np.reshape(self.p2, (3, 4)) @ rectify @ np.linalg.inv(cam_to_road)
        return project[:, [0, 2, 3]]


def read_calibration(path: Path) -> Calibration:
    """Read ``calib/*.txt`` of KITTI Road; DataError says what is missing from it."""
    if not path.exists():
        raise DataError(
            f"The calibration {path} is missing: the bird's-eye view needs it; "
            "add it from data_road.zip; only segbench score, with -o space=perspective, needs none."
        )
    try:
        lines = read_file(path).decode().splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"The calibration {path} cannot be read: {error}.") from None
    entries = dict(line.split(":", 1) for line in lines if ":" in line)
    p2, r0_rect, cam_to_road = (_numbers(path, entries, name) for name in _LENGTHS)
    if np.linalg.matrix_rank(np.reshape(cam_to_road, (3, 4))[:, :3]) < 3:
        raise DataError(f"The calibration {path} has a Tr_cam_to_road that cannot be inverted.")
    return Calibration(p2, r0_rect, cam_to_road)


def _numbers(path: Path, entries: dict[str, str], name: str) -> tuple[float, ...]:
    if name not in entries:
        raise DataError(f"The calibration {path} has no line '{name}:'.")
    try:
        numbers = tuple(float(word) for word in entries[name].split())
    except ValueError:
        numbers = ()
    if len(numbers) != _LENGTHS[name] or not np.isfinite(numbers).all():
        raise DataError(f"The calibration {path} must have {_LENGTHS[name]} numbers for {name}.")
    return numbers


def to_birds_eye(
    image: NDArray[Scalar], calibration: Calibration
) -> tuple[NDArray[Scalar], NDArray[np.bool_]]:
    """Map an image (H, W) to the bird's-eye view, farthest row first.

    Returns the (800, 400) map of the road plane, 0 outside the image, and the bool (800, 400) mask
    of what the image shows.
    """
    pixel = _pixel_of_cell(calibration, (image.shape[0], image.shape[1]))
    seen = pixel >= 0
    cells = image.ravel()[pixel]
    cells[~seen] = 0
    return cells, seen


@lru_cache(maxsize=64)
def _pixel_of_cell(calibration: Calibration, size: Size) -> NDArray[np.int32]:
    """For each cell (800, 400) its index in the flattened image, or -1 outside."""
    height, width = size
    x = np.arange(LEFT + CELL / 2, RIGHT, CELL).astype(np.float32)
    z = np.arange(FAR - CELL / 2, NEAR, -CELL).astype(np.float32)
    road = np.stack([*np.meshgrid(x, z), np.ones(BIRDS_EYE_SIZE, np.float32)])
    with np.errstate(divide="ignore", invalid="ignore"):
        u, v, w = np.tensordot(calibration.road_to_image(), road, axes=1)
        u, v = u / w, v / w
    inside = (u >= 1) & (u <= width) & (v >= 1) & (v <= height)
    column, row = u[inside].astype(np.int32) - 1, v[inside].astype(np.int32) - 1
    pixel = np.full(BIRDS_EYE_SIZE, -1, np.int32)
    pixel[inside] = row * width + column
    pixel.setflags(write=False)
    return pixel
