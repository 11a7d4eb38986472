"""Writing drawn frames in the layout of Cityscapes or KITTI Road."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from segbench.errors import DataError
from segbench.files import draft_of
from segbench.progress import Reporter
from segbench.types import Size

from .camera import Camera
from .canvas import LABEL_BY_NAME
from .places import cityscapes_files, split_of
from .scene import Scene, draw_scene

SMALLEST: Size = (64, 128)

Write = Callable[[Path, Scene, int, int], None]


def write_streets(
    folder: Path, frames: int, size: Size, seed: int, layout: str, reporter: Reporter
) -> None:
    """Draw ``frames`` frames of ``size`` into ``folder``, which is created atomically.

    ``layout`` is one of LAYOUTS. DataError if the folder is not empty, or the size is below
    SMALLEST.
    """
    if size[0] < SMALLEST[0] or size[1] < SMALLEST[1]:
        raise DataError(f"Streets of {size[0]}x{size[1]} are too small; draw at least 64x128.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} is not empty; name a new or an empty folder.")
    with draft_of(folder) as draft:
        draft.mkdir()
        for number in reporter.track(range(frames), frames, "draw streets"):
            LAYOUTS[layout](draft, draw_scene(seed, number, size), seed, number)


def write_cityscapes(folder: Path, scene: Scene, seed: int, number: int) -> None:
    """One frame of the city "streets": image, labelIds (8 bits) and instanceIds (16 bits)."""
    image, label, instances = cityscapes_files(folder, seed, number)
    _save(scene.image, image)
    _save(scene.label_ids, label)
    _save(scene.instance_ids, instances)


def write_kitti(folder: Path, scene: Scene, seed: int, number: int) -> None:
    """One frame of KITTI Road; those of the test split have no ground truth.

    Red is not road, magenta road, black (the camera's own car) invalid.
    """
    testing = split_of(number) == "test"
    part = folder / ("testing" if testing else "training")
    _save(scene.image, part / "image_2" / f"{scene.kind}_{number:06d}.png")
    calibration = part / "calib" / f"{scene.kind}_{number:06d}.txt"
    calibration.parent.mkdir(parents=True, exist_ok=True)
    calibration.write_text(calibration_text(scene.camera), encoding="ascii")
    if not testing:
        truth = np.zeros(scene.image.shape, np.uint8)
        truth[..., 0] = 255 * (scene.label_ids != LABEL_BY_NAME["ego vehicle"].id)
        truth[..., 2] = 255 * (scene.label_ids == LABEL_BY_NAME["road"].id)
        _save(truth, part / "gt_image_2" / f"{scene.kind}_road_{number:06d}.png")


def calibration_text(camera: Camera) -> str:
    """The calibration in KITTI's format: pixels count from 1, as in its kit, road y down."""
    height, width = camera.size
    cosine, sine = camera.rotation
    f, u, v = camera.focal, (width + 1) / 2, (height + 1) / 2
    matrices = {
        "P2": (f, 0, u, 0, 0, f, v, 0, 0, 0, 1, 0),
        "R0_rect": (1, 0, 0, 0, 1, 0, 0, 0, 1),
        "Tr_cam_to_road": (1, 0, 0, 0, 0, cosine, sine, -camera.elevation, 0, -sine, cosine, 0),
    }
    return "".join(f"{k}: {' '.join(f'{x:.12e}' for x in row)}\n" for k, row in matrices.items())


LAYOUTS: Mapping[str, Write] = {"cityscapes": write_cityscapes, "kitti": write_kitti}


def _save(pixels: NDArray[np.uint8] | NDArray[np.uint16], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(pixels).save(path, compress_level=3)
