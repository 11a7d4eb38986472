"""Do camvid, cityscapes and kitti list the right frames, and read labels as published?"""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from segbench.errors import DataError
from segbench.types import IGNORED, Dataset, Frame
from segbench_plugins.datasets.camvid import plugin as camvid
from segbench_plugins.datasets.cityscapes import plugin as cityscapes
from segbench_plugins.datasets.kitti import plugin as kitti


def write_png(path: Path, pixels: object, mode: str = "L") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(np.array(pixels, np.uint8)).convert(mode).save(path)
    return path


def dataset_of(module) -> Dataset:
    (dataset,) = module.segbench_datasets()
    return dataset


@pytest.fixture(params=[camvid, cityscapes, kitti], ids=["camvid", "cityscapes", "kitti"])
def dataset(request: pytest.FixtureRequest) -> Dataset:
    return dataset_of(request.param)


def test_every_dataset_is_complete(dataset: Dataset) -> None:
    assert len(dataset.classes) == len(dataset.palette) == len(dataset.benchmark.ids)
    assert set(dataset.recipes) == {"modern", "original"}
    assert {"train", "val", dataset.score_split} <= set(dataset.splits)
    assert all(recipe.name == name for name, recipe in dataset.recipes.items())


def test_a_missing_root_says_what_was_looked_for_and_where_to_get_it(
    dataset: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as raised:
        dataset.locate(tmp_path / "nowhere")
    message = raised.value.message
    for part in ("looked for", "nowhere", "https://", "--data-root", "SEGBENCH_DATA"):
        assert part in message
    assert "\n" not in message


def test_an_unknown_split_has_a_suggestion(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"No split named 'trian'. Did you mean 'train'\?"):
        dataset.frames(tmp_path, "trian")


def test_an_empty_split_names_the_folder(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No frames of the split 'val' in") as raised:
        dataset.frames(tmp_path, "val")
    assert str(tmp_path) in raised.value.message


def test_a_frame_without_public_label_says_so(dataset: Dataset) -> None:
    with pytest.raises(DataError, match="Frame secret has no public label"):
        dataset.read_label(Frame("secret", Path("secret.png")))


def test_seed_recipes_are_the_original_projects() -> None:
    original = dataset_of(kitti).recipes["original"]
    assert (original.size, original.batch_size, original.epochs) == ((160, 576), 1, 300)
    assert (original.optimizer, original.lr, original.precision) == ("adam", 1e-4, "fp32")
    assert original.patience is None
    assert original.augmentation.brightness == (-40, 40)
    assert original.augmentation.contrast == (0.8, 1.2)
    original = dataset_of(cityscapes).recipes["original"]
    assert (original.size, original.batch_size, original.lr) == ((256, 512), 4, 5e-4)
    assert (original.schedule, original.patience) == ("plateau", 3)


def test_camvid_pairs_images_and_labels_by_name(tmp_path: Path) -> None:
    write_png(tmp_path / "camvid/train/b.png", [[0]])
    write_png(tmp_path / "camvid/trainannot/a.png", [[0]])
    folder = camvid.locate(tmp_path)
    assert folder == tmp_path / "camvid" == camvid.locate(folder)
    first, second = camvid.frames(folder, "train")
    assert (first.id, second.id) == ("a", "b")
    assert first.image == folder / "train/a.png"
    assert second.label == folder / "trainannot/b.png"


def test_camvid_void_is_ignored(tmp_path: Path) -> None:
    path = write_png(tmp_path / "a.png", [[0, 10, 11]])
    label = camvid.read_label(Frame("a", path, path))
    assert label.dtype == np.uint8
    assert label.tolist() == [[0, 10, IGNORED]]


@pytest.mark.parametrize(("module", "illegal", "largest"), [(camvid, 12, 11), (cityscapes, 34, 33)])
def test_an_illegal_label_names_file_and_value(
    tmp_path: Path, module, illegal: int, largest: int
) -> None:
    path = write_png(tmp_path / "wrong.png", [[0, illegal]])
    expected = rf"wrong.png has the label {illegal}, but legal labels are 0 to {largest}"
    with pytest.raises(DataError, match=expected):
        dataset_of(module).read_label(Frame("wrong", path, path))


@pytest.mark.parametrize("module", [camvid, cityscapes])
def test_a_colour_picture_is_no_label(tmp_path: Path, module) -> None:
    path = write_png(tmp_path / "colours.png", [[0]], mode="RGB")
    with pytest.raises(DataError, match=r"colours.png is a picture of mode RGB"):
        dataset_of(module).read_label(Frame("a", path, path))


@pytest.mark.parametrize("keep", [0, 20, 45])
def test_a_broken_label_file_is_named(dataset: Dataset, tmp_path: Path, keep: int) -> None:
    path = write_png(tmp_path / "broken.png", np.arange(256).reshape(16, 16))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"broken.png"):
        dataset.read_label(Frame("a", path, path))


def test_cityscapes_unites_images_and_labels_by_city_and_id(tmp_path: Path) -> None:
    images, labels = tmp_path / "leftImg8bit/val", tmp_path / "gtFine/val"
    write_png(images / "ulm/ulm_000001_000019_leftImg8bit.png", [[0]])
    write_png(labels / "bonn/bonn_000000_000019_gtFine_labelIds.png", [[0]])
    first, second = cityscapes.frames(cityscapes.locate(tmp_path), "val")
    assert (first.id, second.id) == ("bonn_000000_000019", "ulm_000001_000019")
    assert first.image == images / "bonn/bonn_000000_000019_leftImg8bit.png"
    assert second.label == labels / "ulm/ulm_000001_000019_gtFine_labelIds.png"
    assert second.instances == labels / "ulm/ulm_000001_000019_gtFine_instanceIds.png"


def test_cityscapes_test_labels_are_dummies(tmp_path: Path) -> None:
    write_png(tmp_path / "leftImg8bit/test/ulm/ulm_000001_000019_leftImg8bit.png", [[0]])
    write_png(tmp_path / "gtFine/test/ulm/ulm_000001_000019_gtFine_labelIds.png", [[0]])
    (frame,) = cityscapes.frames(tmp_path, "test")
    assert frame.label is None
    assert frame.instances is None


def test_cityscapes_label_ids_become_train_ids(tmp_path: Path) -> None:
    path = write_png(tmp_path / "a.png", [[0, 7, 8, 14, 26, 33]])
    label = cityscapes.read_cityscapes_label(Frame("a", path, path))
    assert label.tolist() == [[IGNORED, 0, 1, IGNORED, 13, 18]]


def test_kitti_names_frames_as_their_ground_truth(tmp_path: Path) -> None:
    training = tmp_path / "data_road/training"
    write_png(training / "image_2/um_000001.png", [[0]])
    write_png(training / "gt_image_2/uu_road_000002.png", [[0]])
    write_png(training / "gt_image_2/um_lane_000003.png", [[0]])
    first, second = kitti.frames(kitti.locate(tmp_path), "labelled")
    assert (first.id, second.id) == ("um_road_000001", "uu_road_000002")
    assert first.label == training / "gt_image_2/um_road_000001.png"
    assert second.image == training / "image_2/uu_000002.png"
    assert second.calibration == training / "calib/uu_000002.txt"


def test_kitti_splits_the_labelled_frames_by_number(tmp_path: Path) -> None:
    counts = {"um": 95, "umm": 96, "uu": 98}
    place = tmp_path / "training/gt_image_2"
    place.mkdir(parents=True)
    for category, count in counts.items():
        for number in range(count):
            (place / f"{category}_road_{number:06d}.png").touch()
    train, val, both = (kitti.frames(tmp_path, split) for split in ("train", "val", "labelled"))
    assert (len(train), len(val)) == (230, 59)
    assert sorted(train + val, key=lambda frame: frame.id) == list(both)
    for category, count in counts.items():
        held_out = sum(frame.id.startswith(f"{category}_") for frame in val)
        assert held_out / count == pytest.approx(1 / 5, abs=0.02)


def test_kitti_label_is_road_where_blue_and_ignored_where_not_red(tmp_path: Path) -> None:
    pixels = [[[255, 0, 255], [255, 0, 0], [0, 0, 0]]]
    path = write_png(tmp_path / "um_road_000000.png", pixels, mode="RGB")
    assert kitti.read_label(Frame("um_road_000000", path, path)).tolist() == [[1, 0, IGNORED]]


def test_kitti_refuses_a_single_channel_label(tmp_path: Path) -> None:
    path = write_png(tmp_path / "um_road_000000.png", [[0, 1]])
    with pytest.raises(DataError, match=r"um_road_000000\.png"):
        kitti.read_label(Frame("um_road_000000", path, path))


def test_kitti_refuses_a_colour_that_means_nothing(tmp_path: Path) -> None:
    path = write_png(tmp_path / "um_road_000000.png", [[[255, 0, 0], [12, 200, 7]]], mode="RGB")
    with pytest.raises(DataError, match=r"um_road_000000\.png.*\(12, 200, 7\)"):
        kitti.read_label(Frame("um_road_000000", path, path))


@pytest.mark.parametrize(
    ("module", "split", "count"),
    [
        (camvid, "train", 367),
        (camvid, "val", 101),
        (camvid, "test", 233),
        (cityscapes, "train", 3),
        (cityscapes, "val", 1),
        (kitti, "train", 15),
        (kitti, "val", 6),
        (kitti, "labelled", 21),
        (kitti, "test", 4),
    ],
)
def test_real_frames_are_found_and_read(data_root: Path, module, split: str, count: int) -> None:
    dataset = dataset_of(module)
    frames = dataset.frames(dataset.locate(data_root), split)
    assert len(frames) == len({frame.id for frame in frames}) == count
    frame = frames[0]
    assert frame.image.is_file()
    if frame.label is not None:
        label = dataset.read_label(frame)
        with PIL.Image.open(frame.image) as image:
            assert label.shape == (image.height, image.width)
        assert set(np.unique(label)) <= {*range(len(dataset.classes)), IGNORED}


def test_every_kitti_category_has_real_validation_frames(data_root: Path) -> None:
    val = kitti.frames(kitti.locate(data_root), "val")
    assert {frame.id.split("_")[0] for frame in val} == {"um", "umm", "uu"}


def test_a_folder_with_labels_alone_lists_its_frames(data_root: Path) -> None:
    folder = cityscapes.locate(data_root / "cityscapes_labels")
    frames = cityscapes.frames(folder, "val")
    assert len(frames) == 15
    assert not frames[0].image.exists()
    assert cityscapes.read_cityscapes_label(frames[0]).shape == (1024, 2048)


@pytest.mark.parametrize(
    ("module", "names"),
    [
        (camvid, ("train/a.PNG", "trainannot/a.Png")),
        (
            cityscapes,
            (
                "leftImg8bit/train/ulm/ulm_1_2_leftImg8bit.PNG",
                "gtFine/train/ulm/ulm_1_2_gtFine_labelIds.PNG",
                "gtFine/train/ulm/ulm_1_2_gtFine_instanceIds.PNG",
            ),
        ),
        (kitti, ("training/image_2/um_000001.PNG", "training/gt_image_2/um_road_000001.PNG")),
    ],
)
def test_suffixes_may_be_in_capitals_and_macos_files_are_no_frames(
    tmp_path: Path, module, names: tuple[str, ...]
) -> None:
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        path.with_name(f"._{path.name}").touch()
    (frame,) = module.frames(tmp_path, "train")
    found = [frame.image, frame.label, frame.instances][: len(names)]
    assert found == [tmp_path / name for name in names]


def test_a_split_of_unread_formats_names_them(tmp_path: Path) -> None:
    for place in ("train", "trainannot"):
        (tmp_path / place).mkdir()
    (tmp_path / "train" / "a.avif").touch()
    with pytest.raises(DataError, match=r"Skipped 1 file: a\.avif"):
        camvid.frames(tmp_path, "train")
