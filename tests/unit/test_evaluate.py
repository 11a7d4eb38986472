"""Evaluation: logits at label size, one matrix over the split, official predictions."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch

from segbench.data import labelled_frames
from segbench.errors import DataError
from segbench.evaluate import evaluate, official_prediction, predict_logits
from segbench.metrics.cityscapes import Cityscapes
from segbench.metrics.kitti_road import KittiRoad
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


def test_logits_come_back_at_the_image_size() -> None:
    image = np.zeros((30, 50, 3), np.uint8)
    assert predict_logits(ColourSession(), image, (16, 32)).shape == (11, 30, 50)


def test_the_sum_does_not_depend_on_the_order(frames: tuple) -> None:
    forth = evaluate(ColourSession(), TINY, frames, (16, 32))
    back = evaluate(ColourSession(), TINY, frames[::-1], (16, 32))
    assert forth.summary == back.summary


def test_cityscapes_gets_label_ids_and_kitti_probabilities() -> None:
    logits = torch.zeros(19, 1, 2)
    logits[0, 0, 0] = logits[13, 0, 1] = 9
    city = replace(TINY, benchmark=Cityscapes())
    assert official_prediction(city, logits).tolist() == [[7, 26]]
    road = replace(TINY, benchmark=KittiRoad())
    certain = torch.tensor([[[0.0, 100.0]], [[0.0, -100.0]]])
    assert official_prediction(road, certain).tolist() == [[128, 0]]


def test_a_label_of_another_size_is_named(frames: tuple) -> None:
    PIL.Image.fromarray(np.zeros((4, 4), np.uint8)).save(frames[0].label)
    with pytest.raises(DataError, match="4x4"):
        evaluate(ColourSession(), TINY, frames, SIZE)
