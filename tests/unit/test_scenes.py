"""The drawn streets: true geometry, truth that fits the picture, and the same bytes twice."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segbench.errors import DataError, SegbenchError
from segbench.progress import Reporter
from segbench_plugins.datasets.cityscapes.frames import cityscapes_frames, read_cityscapes_label
from segbench_plugins.datasets.cityscapes.labels import LABELS, TRAIN_LABELS
from segbench_plugins.datasets.kitti.birds_eye import read_calibration, to_birds_eye
from segbench_plugins.datasets.kitti.score import read_ground_truth
from segbench_plugins.datasets.streets import write
from segbench_plugins.datasets.streets.camera import NEAR, Camera
from segbench_plugins.datasets.streets.canvas import Canvas
from segbench_plugins.datasets.streets.light import random_light
from segbench_plugins.datasets.streets.places import split_of
from segbench_plugins.datasets.streets.scene import Scene, draw_scene
from segbench_plugins.datasets.streets.write import calibration_text, write_streets

SIZE = (64, 128)
QUIET = Reporter(quiet=True)
LABEL_BY_ID = {label.id: label for label in LABELS}
FRAME_0 = {
    "ego vehicle": 426, "road": 864, "sidewalk": 310, "parking": 51, "building": 1941,
    "wall": 366, "pole": 566, "traffic light": 288, "traffic sign": 62, "vegetation": 528,
    "terrain": 232, "sky": 1420, "rider": 353, "car": 304, "bicycle": 481,
}  # fmt: skip


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [draw_scene(0, number, SIZE) for number in range(24)]


def test_the_same_seed_and_number_give_the_same_bytes(scenes: list[Scene]) -> None:
    again = draw_scene(0, 5, SIZE)
    assert np.array_equal(again.image, scenes[5].image)
    assert np.array_equal(again.label_ids, scenes[5].label_ids)
    assert np.array_equal(again.instance_ids, scenes[5].instance_ids)
    assert not np.array_equal(draw_scene(1, 5, SIZE).image, again.image)
    assert not np.array_equal(scenes[6].image, again.image)


def test_frame_0_is_what_it_always_was(scenes: list[Scene]) -> None:
    """When the drawing changes on purpose, change VERSION of the plugin ``streets`` as well.

    A few pixels at edges depend on Pillow's version, so this counts pixels and not bytes.
    """
    ids, counts = np.unique(scenes[0].label_ids, return_counts=True)
    drawn = {LABEL_BY_ID[id].name: count for id, count in zip(ids.tolist(), counts, strict=True)}
    assert drawn == pytest.approx(FRAME_0, abs=20)
    assert scenes[0].image.mean((0, 1)) == pytest.approx((101.7, 83.1, 84.8), abs=0.5)


def test_a_scene_has_the_shapes_and_types_of_cityscapes(scenes: list[Scene]) -> None:
    scene = scenes[0]
    assert (scene.image.shape, scene.image.dtype) == ((*SIZE, 3), np.uint8)
    assert (scene.label_ids.shape, scene.label_ids.dtype) == (SIZE, np.uint8)
    assert (scene.instance_ids.shape, scene.instance_ids.dtype) == (SIZE, np.uint16)


def test_every_class_is_drawn_and_some_pixels_are_ignored(scenes: list[Scene]) -> None:
    drawn = set(np.unique([scene.label_ids for scene in scenes]).tolist())
    assert {label.id for label in TRAIN_LABELS} <= drawn
    names = {LABEL_BY_ID[i].name for i in drawn if LABEL_BY_ID[i].ignored}
    assert names == {"ego vehicle", "static", "parking", "rail track"}


def test_instances_follow_the_convention_of_cityscapes(scenes: list[Scene]) -> None:
    for scene in scenes:
        single = scene.instance_ids >= 1000
        labels = np.where(single, scene.instance_ids // 1000, scene.instance_ids)
        assert np.array_equal(labels, scene.label_ids)
        for label in np.unique(labels[single]):
            assert LABEL_BY_ID[int(label)].has_instances


def test_far_groups_have_no_instances(scenes: list[Scene]) -> None:
    canvas = Canvas(Camera((64, 128), 120, 1.6, 0), random_light(np.random.default_rng(0)))
    for group in (True, False, False):
        canvas.begin("person", group)
        canvas.disc((0, 1, 9), 1, 1, (9, 9, 9))
    assert [part.instance for part in canvas.parts[1:]] == [24, 24000, 24001]


def test_the_weather_and_the_kind_of_street_change(scenes: list[Scene]) -> None:
    assert {scene.kind for scene in scenes} == {"um", "umm", "uu"}
    brightness = [scene.image.mean() for scene in scenes]
    assert max(brightness) > 1.5 * min(brightness)


cameras = st.builds(
    Camera,
    size=st.just((96, 192)),
    focal=st.floats(100, 300),
    elevation=st.floats(1, 2.5),
    pitch=st.floats(-0.05, 0.1),
    yaw=st.floats(-0.05, 0.05),
    curve=st.floats(-0.002, 0.002),
)


@settings(deadline=None)
@given(cameras, st.floats(-8, 8), st.floats(4, 60))
def test_the_ground_under_a_pixel_is_what_projects_there(
    camera: Camera, x: float, z: float
) -> None:
    u, v = camera.pixel(camera.view((x, 0, z)))
    height, width = camera.size
    if not (0 <= u < width and 0 <= v < height):
        return
    ground_x, ground_z = camera.ground()
    column, row = camera.pixel(camera.view((ground_x[v, u], 0, ground_z[v, 0])))
    assert abs(column - u) <= 1
    assert abs(row - v) <= 1


def test_a_taller_thing_reaches_higher_and_a_nearer_one_is_larger() -> None:
    camera = Camera((100, 200), 200, 1.5, 0)
    assert camera.pixel(camera.view((0, 1.5, 10))) == (100, 50)
    assert camera.pixel(camera.view((0, 0, 10))) == (100, 80)
    assert camera.pixel(camera.view((1, 0, 5))) == (140, 110)


def test_what_comes_too_near_is_cut_off() -> None:
    camera = Camera((100, 200), 200, 1.5, 0)
    floor, _ = camera.outline([(-1, 0, -5), (-1, 0, 20), (1, 0, 20), (1, 0, -5)])
    assert max(v for _, v in floor) == round(50 + 200 * 1.5 / NEAR)
    assert camera.outline([(0, 0, -3), (1, 0, -3), (1, 1, -3)])[0] == []


def test_the_nearer_thing_hides_the_farther_one() -> None:
    canvas = Canvas(Camera((64, 128), 120, 1.6, 0), random_light(np.random.default_rng(0)))
    for name, z in (("building", 20), ("car", 8)):
        canvas.begin(name)
        canvas.polygon([(-1, 0.6, z), (-1, 2.6, z), (1, 2.6, z), (1, 0.6, z)], (9, 9, 9))
    part = canvas.parts[canvas.part_map()[32, 64]]
    assert LABEL_BY_ID[part.label].name == "car"


def test_cityscapes_layout(tmp_path: Path, scenes: list[Scene]) -> None:
    write_streets(tmp_path / "out", 8, SIZE, 0, "cityscapes", QUIET)
    frames = {
        split: cityscapes_frames(tmp_path / "out", split) for split in ("train", "val", "test")
    }
    assert {split: len(found) for split, found in frames.items()} == {
        "train": 6,
        "val": 1,
        "test": 1,
    }
    frame = frames["val"][0]
    assert frame.id == "streets_000000_000002"
    with PIL.Image.open(frame.image) as image, PIL.Image.open(frame.instances) as instances:
        assert np.array_equal(image, scenes[2].image)
        assert instances.mode == "I;16"
        assert np.array_equal(instances, scenes[2].instance_ids)
    assert read_cityscapes_label(frame).shape == SIZE


def test_a_frame_does_not_depend_on_how_many_are_drawn(tmp_path: Path) -> None:
    for count in (1, 3):
        write_streets(tmp_path / str(count), count, SIZE, 4, "cityscapes", QUIET)
    name = "leftImg8bit/train/streets/streets_000004_000000_leftImg8bit.png"
    assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "3" / name).read_bytes()


def test_kitti_layout(tmp_path: Path, scenes: list[Scene]) -> None:
    write_streets(tmp_path / "out", 6, SIZE, 0, "kitti", QUIET)
    training, testing = tmp_path / "out" / "training", tmp_path / "out" / "testing"
    assert len(list((training / "image_2").iterdir())) == 5
    assert [path.name for path in (testing / "image_2").iterdir()] == [
        f"{scenes[5].kind}_000005.png"
    ]
    assert not (testing / "gt_image_2").exists()
    assert split_of(5) == "test"
    for number, scene in enumerate(scenes[:5]):
        road, valid = read_ground_truth(
            training / "gt_image_2" / f"{scene.kind}_road_{number:06d}.png"
        )
        assert np.array_equal(road, scene.label_ids == 7)
        assert np.array_equal(valid, scene.label_ids != 1)
        read_calibration(training / "calib" / f"{scene.kind}_{number:06d}.txt")


def test_the_calibration_is_the_camera(tmp_path: Path) -> None:
    """Drawn on the ground from x = -2 to 3 m and z = 10 to 20 m, seen there from above."""
    camera = Camera((375, 1242), 700, 1.6, 0.04)
    canvas = Canvas(camera, random_light(np.random.default_rng(0)))
    canvas.begin("road")
    canvas.polygon([(-2, 0, 10), (-2, 0, 20), (3, 0, 20), (3, 0, 10)], (9, 9, 9))
    path = tmp_path / "um_000000.txt"
    path.write_text(calibration_text(camera))
    cells, _ = to_birds_eye((canvas.part_map() > 0).astype(np.uint8), read_calibration(path))
    rows, columns = np.nonzero(cells)
    left, right = -10 + columns.min() * 0.05, -10 + (columns.max() + 1) * 0.05
    far, near = 46 - rows.min() * 0.05, 46 - (rows.max() + 1) * 0.05
    assert (left, right, near) == pytest.approx((-2, 3, 10), abs=0.25)
    assert far == pytest.approx(20, abs=0.75)  # two rows of pixels
    assert cells.sum() * 0.05**2 == pytest.approx(50, rel=0.03)


def test_a_folder_that_is_not_empty_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="not empty; name a new or an empty folder"):
        write_streets(tmp_path, 1, SIZE, 0, "cityscapes", QUIET)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_streets(tmp_path / "out", 1, SIZE, 0, "cityscapes", QUIET)
    assert (tmp_path / "out" / "gtFine" / "train").is_dir()


@pytest.mark.parametrize("size", [(63, 128), (64, 127)])
def test_too_small_a_size_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    with pytest.raises(DataError, match="too small; draw at least 64x128"):
        write_streets(tmp_path / "out", 1, size, 0, "cityscapes", QUIET)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SegbenchError, match="not a folder"):
        write_streets(tmp_path / "file" / "out", 1, SIZE, 0, "cityscapes", QUIET)


def test_an_interrupted_drawing_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(write, "LAYOUTS", {"cityscapes": interrupt})
    with pytest.raises(KeyboardInterrupt):
        write_streets(tmp_path / "out", 1, SIZE, 0, "cityscapes", QUIET)
    assert list(tmp_path.iterdir()) == []
