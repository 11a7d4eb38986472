"""Evaluation: logits at label size, one matrix over the split, official predictions."""

import re
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch

from segbench.data.frames import labelled_frames
from segbench.data.pictures import read_image
from segbench.errors import DataError, SegbenchError
from segbench.inference.evaluate import (
    evaluate,
    network_logits,
    official_prediction,
    predict_classes,
)
from segbench.inference.tensors import class_map, resize_logits
from segbench.scoring.score import score_predictions
from segbench.types import Dataset
from segbench_plugins.datasets.cityscapes.frames import read_cityscapes_label
from segbench_plugins.datasets.cityscapes.score import Cityscapes
from segbench_plugins.datasets.kitti import plugin as kitti
from segbench_plugins.datasets.kitti.score import KittiRoad
from tests.tiny import PALETTE, SIZE, tiny_dataset, write_tiny

TINY = tiny_dataset()


class ColourSession:
    """A network that knows the palette: the logit of a class is minus the colour's distance."""

    engine = "stand-in"

    def prepare(self, images: np.ndarray) -> np.ndarray:
        return images

    def run(self, inputs: np.ndarray) -> np.ndarray:
        distances = [np.abs(inputs.astype(float) - colour).sum(-1) for colour in PALETTE]
        return -np.stack(distances, axis=1)

    def fetch(self, outputs: np.ndarray) -> Any:
        return outputs.astype(np.float32)

    def synchronize(self) -> None:
        pass


@pytest.fixture
def frames(tmp_path: Path) -> tuple:
    return labelled_frames(TINY, TINY.locate(write_tiny(tmp_path, noise=0)), "train")


def test_a_perfect_network_scores_one(frames: tuple) -> None:
    result = evaluate(ColourSession(), TINY, frames, SIZE)
    assert result.score == 1
    assert result.summary["pixel_accuracy"] == 1
    assert result.interval == (1, 1)
    assert result.confusions.shape[0] == len(frames)
    assert result.confusions.sum() == 6 * 30 * 64


def test_absent_classes_are_null_and_leave_the_mean(frames: tuple) -> None:
    iou = evaluate(ColourSession(), TINY, frames, SIZE).summary["per_class"]["iou"]
    assert iou["class 10"] is None
    assert iou["class 0"] == 1


def test_label_scale_takes_every_nth_pixel(frames: tuple) -> None:
    result = evaluate(ColourSession(), TINY, frames, SIZE, label_scale=2)
    assert result.confusions.sum() == 6 * 15 * 32


def test_classes_come_back_at_the_image_size() -> None:
    image = np.zeros((30, 50, 3), np.uint8)
    assert predict_classes(ColourSession(), image, (16, 32)).shape == (30, 50)


def test_the_sum_does_not_depend_on_the_order(frames: tuple) -> None:
    forth = evaluate(ColourSession(), TINY, frames, (16, 32))
    back = evaluate(ColourSession(), TINY, frames[::-1], (16, 32))
    assert forth.summary == back.summary


def test_cityscapes_gets_label_ids_and_kitti_probabilities() -> None:
    logits = torch.zeros(19, 1, 2)
    logits[0, 0, 0] = logits[13, 0, 1] = 9
    city = replace(TINY, benchmark=Cityscapes())
    assert official_prediction(city, logits, class_map(logits)).tolist() == [[7, 26]]
    road = replace(TINY, benchmark=KittiRoad())
    certain = torch.tensor([[[0.0, 100.0]], [[0.0, -100.0]]])
    assert official_prediction(road, certain, class_map(certain)).tolist() == [[128, 0]]


class RoadSession(ColourSession):
    """Tells apart the first two colours alone, and is never sure."""

    def run(self, inputs: np.ndarray) -> np.ndarray:
        return super().run(inputs)[:, :2] / 100


def as_cityscapes(frames: tuple) -> tuple[Dataset, tuple]:
    ids = np.array([*Cityscapes().ids[:11], 0], np.uint8)
    for frame in frames:
        label = np.asarray(PIL.Image.open(frame.label))
        PIL.Image.fromarray(ids[label]).save(frame.label)
    names = tuple(f"class {n}" for n in range(19))
    city = replace(TINY, classes=names, benchmark=Cityscapes(), read_label=read_cityscapes_label)
    return city, frames


def as_kitti(frames: tuple) -> tuple[Dataset, tuple]:
    for frame in frames:
        label = np.asarray(PIL.Image.open(frame.label))
        valid, road = label != 11, label == 1
        colours = 255 * np.dstack([valid, np.zeros_like(road), road & valid])
        PIL.Image.fromarray(colours.astype(np.uint8)).save(frame.label)
    renamed = tuple(replace(frame, id=f"um_road_{frame.id}") for frame in frames)
    benchmark = KittiRoad(spaces=("perspective",))
    road_only = replace(
        TINY, classes=("background", "road"), benchmark=benchmark, read_label=kitti.read_label
    )
    return road_only, renamed


@pytest.mark.parametrize("label_scale", [1, 4])
@pytest.mark.parametrize(
    ("adapt", "session"),
    [
        (lambda frames: (TINY, frames), ColourSession()),
        (as_cityscapes, ColourSession()),
        (as_kitti, RoadSession()),
    ],
    ids=["camvid", "cityscapes", "kitti"],
)
def test_prediction_files_score_as_in_memory(
    frames: tuple, tmp_path: Path, adapt: Callable, session: ColourSession, label_scale: int
) -> None:
    """At a size that blurs the frames, so that the score is not perfect."""
    small = (7, 11)
    dataset, frames = adapt(frames)
    in_memory = evaluate(session, dataset, frames, small, label_scale)
    folder = tmp_path / "predictions"
    folder.mkdir()
    for frame in frames:
        image = read_image(frame.image)
        logits = network_logits(session, image, small)
        logits = resize_logits(logits, image.shape[:2])[0]
        values = official_prediction(dataset, logits, class_map(logits))
        PIL.Image.fromarray(values).save(folder / f"{frame.id}.png")
    from_files = score_predictions(dataset, frames, folder, label_scale)
    assert from_files.official == in_memory.official
    assert from_files.official.get("label_scale", 1) == label_scale
    assert 0 < in_memory.score < 1
    assert from_files.summary == in_memory.summary
    assert from_files.interval == in_memory.interval


def test_a_label_of_another_size_is_named(frames: tuple) -> None:
    PIL.Image.fromarray(np.zeros((4, 4), np.uint8)).save(frames[0].label)
    with pytest.raises(DataError, match="4x4"):
        evaluate(ColourSession(), TINY, frames, SIZE)


class OneBadFrame(ColourSession):
    """Its logits are not finite for the third frame that it is given."""

    def __init__(self) -> None:
        self.runs = 0

    def run(self, inputs: np.ndarray) -> np.ndarray:
        self.runs += 1
        return super().run(inputs) * (np.nan if self.runs == 3 else 1)


def test_an_error_of_the_network_names_the_frame_and_no_thread_stays(frames: tuple) -> None:
    before = threading.active_count()
    with pytest.raises(SegbenchError, match=re.escape(f"{frames[2].image}: ")):
        evaluate(OneBadFrame(), TINY, frames, SIZE)
    assert threading.active_count() == before


def test_the_network_runs_in_the_thread_that_opened_it(frames: tuple) -> None:
    threads = set()

    class Watched(ColourSession):
        def run(self, inputs: np.ndarray) -> np.ndarray:
            threads.add(threading.current_thread())
            return super().run(inputs)

    result = evaluate(Watched(), TINY, frames, SIZE)
    assert threads == {threading.current_thread()}
    assert result.frame_ids == tuple(frame.id for frame in frames)
