"""Which training frames INT8 is calibrated on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segbench.errors import DataError, SegbenchError
from segbench.inference.calibration import digest, gather, summarise
from segbench.progress import Reporter
from segbench.types import IGNORED
from tests.tiny import tiny_dataset, write_tiny

QUIET = Reporter(quiet=True)
SIZE = (16, 32)


def test_a_fifth_is_held_back_with_labels(tmp_path: Path) -> None:
    found = gather(tiny_dataset(), write_tiny(tmp_path), SIZE, QUIET)
    assert found.source == "tiny train"
    assert len(found.frames) == 5
    assert found.images.shape == (5, *SIZE, 3)
    assert found.held_back_images is not None
    assert found.held_back_labels is not None
    assert found.held_back_images.shape == (1, *SIZE, 3)
    assert found.held_back_labels.shape == (1, *SIZE)
    assert set(np.unique(found.held_back_labels)) <= {*range(11), IGNORED}


def test_held_back_frames_are_not_calibrated_on(tmp_path: Path) -> None:
    found = gather(tiny_dataset(), write_tiny(tmp_path), SIZE, QUIET)
    assert found.held_back_images is not None
    assert not (found.images == found.held_back_images).all(axis=(1, 2, 3)).any()


def test_count_bounds_the_frames_and_leaves_the_held_back(tmp_path: Path) -> None:
    root = write_tiny(tmp_path)
    whole, two = (gather(tiny_dataset(), root, SIZE, QUIET, count=count) for count in (128, 2))
    assert len(two.frames) == 2
    assert set(two.frames) < set(whole.frames)
    assert np.array_equal(two.held_back_images, whole.held_back_images)  # type: ignore


def test_the_same_frames_are_chosen_every_time(tmp_path: Path) -> None:
    root = write_tiny(tmp_path)
    first, again = (gather(tiny_dataset(), root, SIZE, QUIET, count=2) for _ in range(2))
    assert again.frames == first.frames


def test_an_untrained_network_holds_nothing_back(tmp_path: Path) -> None:
    found = gather(tiny_dataset(), write_tiny(tmp_path), SIZE, QUIET, trained=False)
    assert len(found.frames) == 6
    assert found.held_back_images is None
    assert found.held_back_labels is None


def test_frames_that_are_scored_are_not_calibrated_on(tmp_path: Path) -> None:
    dataset, root = tiny_dataset(), write_tiny(tmp_path)
    train, test = (dataset.frames(dataset.locate(root), split) for split in ("train", "test"))
    assert gather(dataset, root, SIZE, QUIET, scored=test).frames
    for scored in (train[-1:], (*test, train[0])):
        with pytest.raises(SegbenchError, match="'train', which has frames that are to be scored"):
            gather(dataset, root, SIZE, QUIET, scored=scored)


def test_a_data_set_without_images_says_what_to_give(tmp_path: Path) -> None:
    (tmp_path / "tiny" / "train").mkdir(parents=True)
    with pytest.raises(DataError, match="give --data-root"):
        gather(tiny_dataset(), tmp_path, SIZE, QUIET)


def test_the_digest_follows_the_pixels(tmp_path: Path) -> None:
    found = gather(tiny_dataset(), write_tiny(tmp_path), SIZE, QUIET)
    other = replace(found, images=found.images ^ 1)
    assert summarise(found) == f"5@{digest(found)}"
    assert digest(other) != digest(found)
    assert digest(replace(found, held_back_labels=None)) != digest(found)
