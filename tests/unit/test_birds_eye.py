"""The bird's-eye mapping against cameras simple enough to work out by hand."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segbench.errors import DataError
from segbench_plugins.datasets.kitti.birds_eye import Calibration, read_calibration, to_birds_eye

NO_TURN = (1, 0, 0, 0, 1, 0, 0, 0, 1)
NO_MOVE = (1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0)

# u = 20 x + 200.75 and v = 921 - 20 z: cell (row, column) falls on u = column + 1.25,
# v = row + 1.5, so the image is the bird's-eye view itself; the
# last row and column end at v = 800.5 and u = 400.25, beyond an image of the same size.
FROM_ABOVE = Calibration((20, 0, 0, 200.75, 0, 0, -20, 921, 0, 0, 0, 1), NO_TURN, NO_MOVE)

# A pinhole camera of focal length 100 pixels, 1.5 m above the road, looking straight ahead:
# u = 100 x / z + 200 and v = 100 * 1.5 / z + 50.
PINHOLE = Calibration(
    (100, 0, 200, 0, 0, 100, 50, 0, 0, 0, 1, 0), NO_TURN, (1, 0, 0, 0, 0, 1, 0, -1.5, 0, 0, 1, 0)
)


def test_a_camera_above_the_road_sees_the_birds_eye_view_itself() -> None:
    image = np.arange(801 * 401).reshape(801, 401)
    cells, seen = to_birds_eye(image, FROM_ABOVE)
    assert seen.all()
    assert (cells == image[:800, :400]).all()


@pytest.mark.parametrize(
    ("u", "seen"), [(0.5, False), (1.0, True), (400.0, True), (400.5, False), (401.0, False)]
)
def test_positions_from_one_to_the_width_are_in_the_image(u: float, seen: bool) -> None:
    for p2 in ((0, 0, 0, u, 0, 0, 0, 7, 0, 0, 0, 1), (0, 0, 0, 7, 0, 0, 0, u, 0, 0, 0, 1)):
        camera = Calibration(p2, NO_TURN, NO_MOVE)
        _, shown = to_birds_eye(np.ones((400, 400), np.uint8), camera)
        assert (shown == seen).all()


def test_positions_are_truncated_and_count_from_one() -> None:
    image = np.arange(1, 801 * 401 + 1).reshape(801, 401)
    left = replace(FROM_ABOVE, p2=(20, 0, 0, 200.25, *FROM_ABOVE.p2[4:]))
    cells, seen = to_birds_eye(image, left)
    assert not seen[:, 0].any()
    assert (cells[:, 0] == 0).all()
    assert (cells[:, 1:] == image[:800, :399]).all()


def test_what_the_image_does_not_show_is_unseen_and_zero() -> None:
    cells, seen = to_birds_eye(np.full((700, 300), 9, np.uint8), FROM_ABOVE)
    assert seen[:699, :299].all()
    assert seen.sum() == 699 * 299
    assert cells.dtype == np.uint8
    assert (cells == np.where(seen, 9, 0)).all()


@pytest.mark.parametrize(
    ("x", "z", "row", "column"),
    [
        (2.025, 10.025, 63, 219),  # u = 220.2, v = 64.96
        (-0.025, 6.025, 73, 198),  # u = 199.6, v = 74.9
        (0.025, 45.975, 52, 199),  # u = 200.05, v = 53.3
    ],
)
def test_a_pinhole_camera_sees_a_point_of_the_road(
    x: float, z: float, row: int, column: int
) -> None:
    image = np.zeros((100, 400), np.uint8)
    image[row, column] = 1
    cells, _ = to_birds_eye(image, PINHOLE)
    assert cells[round((45.975 - z) / 0.05), round((x + 9.975) / 0.05)] == 1


def test_masks_stay_masks() -> None:
    cells, _ = to_birds_eye(np.ones((100, 400), np.bool_), PINHOLE)
    assert cells.dtype == np.bool_


def test_two_sizes_of_one_calibration_do_not_mix() -> None:
    large, _ = to_birds_eye(np.ones((801, 401), np.uint8), FROM_ABOVE)
    small, _ = to_birds_eye(np.ones((401, 401), np.uint8), FROM_ABOVE)
    assert (large.sum(), small.sum()) == (800 * 400, 400 * 400)


def numbers(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:e}" for value in values)


TEXT = (
    f"P2: {numbers(PINHOLE.p2)}\nR0_rect: {numbers(NO_TURN)}\n\n"
    f"Tr_cam_to_road: {numbers(PINHOLE.tr_cam_to_road)}\n"
)


def test_a_calibration_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "um_000000.txt"
    path.write_text(TEXT)
    assert read_calibration(path) == PINHOLE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT.replace("P2", "P3"), "has no line 'P2:'"),
        (TEXT.replace("Tr_cam_to_road", "Tr"), "has no line 'Tr_cam_to_road:'"),
        (TEXT.replace("P2:", "P2: 1"), "must have 12 numbers for P2"),
        (TEXT.replace("P2:", "P2: x"), "must have 12 numbers for P2"),
        (TEXT.replace("R0_rect: 1.0", "R0_rect: nan 1.0"), "must have 9 numbers for R0_rect"),
        (TEXT.replace("5.000000e+01", "nan"), "must have 12 numbers for P2"),
        (TEXT.split("Tr_")[0] + "Tr_cam_to_road:" + " 0" * 12, "cannot be inverted"),
        ("", "has no line 'P2:'"),
    ],
)
def test_a_faulty_calibration_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "um_000000.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=message) as raised:
        read_calibration(path)
    assert str(path) in raised.value.message


def test_a_missing_or_unreadable_calibration_is_named(tmp_path: Path) -> None:
    path = tmp_path / "um_000000.txt"
    with pytest.raises(DataError, match=r"um_000000\.txt is missing: the bird's-eye view needs"):
        read_calibration(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"um_000000\.txt cannot be read"):
        read_calibration(path)


def test_a_calibration_that_would_block_is_refused(tmp_path: Path) -> None:
    fifo = tmp_path / "calib.txt"
    os.mkfifo(fifo)
    with pytest.raises(DataError):
        read_calibration(fifo)


def test_a_real_camera_sees_the_road_ahead_of_the_car(data_root: Path) -> None:
    calibration = read_calibration(data_root / "kitti_road/training/calib/um_000000.txt")
    row_of_pixel = np.arange(375)[:, None].repeat(1242, axis=1)
    rows, seen = to_birds_eye(row_of_pixel, calibration)
    assert seen[:600].all(), "from 16 m on the view is as wide as the map"
    assert not seen[-1].all(), "right ahead of the car it is not"
    centre = rows[:, 200]
    assert (np.diff(centre[seen[:, 200]]) >= 0).all(), "nearer road is lower in the image"
