"""The cache of decoded frames: right, keyed by content, safe under races."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from hypothesis import given
from hypothesis.extra.numpy import arrays
from torch.nn import functional

from segbench.data.frames import (
    FORMAT,
    cached_split,
    check_some_labelled,
    fingerprint,
    labelled_frames,
    resize_image,
)
from segbench.data.pictures import read_image
from segbench.errors import DataError
from segbench.progress import Reporter
from segbench.types import Image
from tests.tiny import SIZE, draw, tiny_dataset, write_tiny

QUIET = Reporter(quiet=True)
TINY = tiny_dataset()


def test_a_file_that_cannot_be_opened_is_named(folder: Path) -> None:
    frames = labelled_frames(TINY, folder, "train")
    frames[1].image.unlink()
    frames[1].image.mkdir()
    with pytest.raises(DataError, match=f"{frames[1].image} cannot be read"):
        fingerprint(TINY, frames, QUIET)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return TINY.locate(write_tiny(tmp_path))


def test_the_cache_holds_every_frame_as_decoded(folder: Path) -> None:
    frames = labelled_frames(TINY, folder, "train")
    split = cached_split(TINY, frames, SIZE, "key", QUIET)
    assert split.images.shape == (6, *SIZE, 3)
    assert np.array_equal(split.images[2], draw(2).image)
    assert np.array_equal(split.labels[2], TINY.read_label(frames[2]))


def test_another_size_is_another_cache_and_labels_stay_labels(folder: Path) -> None:
    frames = labelled_frames(TINY, folder, "val")
    small = cached_split(TINY, frames, (16, 32), "key", QUIET)
    assert small.images.shape == (2, 16, 32, 3)
    assert set(np.unique(small.labels)) <= set(np.unique(TINY.read_label(frames[0]))) | set(
        np.unique(TINY.read_label(frames[1]))
    )


def test_the_second_time_nothing_is_decoded(folder: Path) -> None:
    frames = labelled_frames(TINY, folder, "val")
    first = cached_split(TINY, frames, SIZE, "key", QUIET)
    for frame in frames:
        frame.image.unlink()
    assert np.array_equal(cached_split(TINY, frames, SIZE, "key", QUIET).images, first.images)


def test_two_runs_may_build_at_once(folder: Path, own_cache: Path) -> None:
    frames = labelled_frames(TINY, folder, "train")
    with ThreadPoolExecutor(4) as pool:
        splits = list(pool.map(lambda _: cached_split(TINY, frames, SIZE, "key", QUIET), range(4)))
    assert all(np.array_equal(split.images, splits[0].images) for split in splits)
    assert {path.name for path in (own_cache / "frames").iterdir()} == {
        f"v{FORMAT}-tiny-key-32x64",
        f"v{FORMAT}-tiny-key-32x64.xxh3",
    }


def test_a_failed_build_leaves_nothing(folder: Path, own_cache: Path) -> None:
    frames = labelled_frames(TINY, folder, "train")
    frames[3].image.write_bytes(b"no image")
    with pytest.raises(DataError, match=r"003\.png cannot be decoded"):
        cached_split(TINY, frames, SIZE, "key", QUIET)
    assert not list((own_cache / "frames").iterdir())


def test_the_fingerprint_follows_content_and_not_place(tmp_path: Path) -> None:
    prints = []
    for name in ("a", "b"):
        frames = labelled_frames(TINY, TINY.locate(write_tiny(tmp_path / name)), "train")
        prints.append(fingerprint(TINY, frames, QUIET))
    assert prints[0] == prints[1]
    PIL.Image.fromarray(draw(99).image).save(frames[0].image)
    assert fingerprint(TINY, frames, QUIET) != prints[0]


def test_a_name_that_is_not_utf8_has_a_fingerprint(folder: Path) -> None:
    first, *others = labelled_frames(TINY, folder, "train")
    odd = replace(first, id=os.fsdecode(b"caf\xe9"))
    assert fingerprint(TINY, [odd, *others], QUIET) != fingerprint(TINY, [first, *others], QUIET)


def test_the_fingerprint_follows_what_the_labels_mean(folder: Path) -> None:
    frames = labelled_frames(TINY, folder, "train")
    other = replace(TINY, labelling="road is 7")
    assert fingerprint(other, frames, QUIET) != fingerprint(TINY, frames, QUIET)


def test_limit_takes_the_first_frames(folder: Path) -> None:
    assert [frame.id for frame in labelled_frames(TINY, folder, "train", 2)] == ["000", "001"]


def test_missing_files_are_counted_and_the_first_is_named(folder: Path) -> None:
    frames = labelled_frames(TINY, folder, "train")
    frames[1].label.unlink()
    with pytest.raises(
        DataError, match=r"1 files missing, first .*001\.label\.png; run segbench data check"
    ):
        labelled_frames(TINY, folder, "train")
    with pytest.raises(DataError, match="No split named 'none such'"):
        labelled_frames(TINY, folder, "none such")


def test_a_label_of_another_size_is_named(folder: Path) -> None:
    frames = labelled_frames(TINY, folder, "val")
    PIL.Image.fromarray(np.zeros((8, 8), np.uint8)).save(frames[0].label)
    with pytest.raises(DataError, match=r"000\.label\.png is 8x8.*is 32x64"):
        cached_split(TINY, frames, SIZE, "key", QUIET)


def test_images_become_rgb(tmp_path: Path) -> None:
    PIL.Image.new("L", (5, 4), 7).save(tmp_path / "grey.png")
    assert read_image(tmp_path / "grey.png").shape == (4, 5, 3)


@given(arrays(np.uint8, (8, 12, 3)))
def test_half_the_size_is_the_mean_of_2x2_pixels(image: Image) -> None:
    means = image.reshape(4, 2, 6, 2, 3).mean((1, 3))
    assert np.abs(resize_image(image, (4, 6)) - means).max() <= 1


@given(arrays(np.uint8, (8, 12, 3)))
def test_half_the_size_is_that_of_torch(image: Image) -> None:
    tensor = torch.from_numpy(image).permute(2, 0, 1)[None].double()
    halved = functional.interpolate(tensor, (4, 6), mode="bilinear")[0].permute(1, 2, 0)
    assert np.abs(resize_image(image, (4, 6)) - halved.numpy()).max() <= 1


@pytest.mark.parametrize("height", [8, 2])
def test_where_a_side_grows_resizing_is_bilinear(height: int) -> None:
    image = np.zeros((4, 2, 3), np.uint8)
    image[:, 1] = 100
    assert resize_image(image, (height, 4))[1, :, 0].tolist() == [0, 25, 75, 100]


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_sixteen_bits_are_scaled_to_eight(tmp_path: Path, suffix: str) -> None:
    levels = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    PIL.Image.fromarray(levels).save(tmp_path / f"a.{suffix}")
    assert np.array_equal(read_image(tmp_path / f"a.{suffix}")[..., 0], levels >> 8)


def test_a_split_of_ignored_pixels_alone_is_refused(folder: Path) -> None:
    frames = labelled_frames(TINY, folder, "val")
    void = np.full(SIZE, 11, np.uint8)
    PIL.Image.fromarray(void).save(str(frames[0].label))
    check_some_labelled(TINY, "val", frames)
    PIL.Image.fromarray(void).save(str(frames[1].label))
    with pytest.raises(DataError, match="'val' of tiny are ignored pixels"):
        check_some_labelled(TINY, "val", frames)


def test_a_fifo_is_a_missing_file(folder: Path) -> None:
    (image, *_) = (frame.image for frame in labelled_frames(TINY, folder, "val"))
    image.unlink()
    os.mkfifo(image)
    with pytest.raises(DataError, match="1 files missing"):
        labelled_frames(TINY, folder, "val")
