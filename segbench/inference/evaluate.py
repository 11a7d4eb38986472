"""Session x dataset -> official scores, through the very code that scores prediction files.

Logits are resized to the label's size before the argmax, a class at a time. Each frame leaves the
benchmark's own confusion matrix, from which the sums, the bootstrap interval and later comparisons
follow.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from segbench.data.frames import read_image, read_pair, resize_image
from segbench.errors import SegbenchError
from segbench.inference.tensors import class_map_at, resize_logits
from segbench.progress import Reporter
from segbench.scoring.predictions import to_uint8_probability
from segbench.scoring.score import Score, Tally
from segbench.types import ClassMap, Dataset, Frame, Image, Session, Size


def evaluate(
    session: Session,
    dataset: Dataset,
    frames: Sequence[Frame],
    size: Size,
    label_scale: int = 1,
    reporter: Reporter | None = None,
) -> Score:
    """Score ``session``, whose network takes ``size``, on labelled frames at label size."""
    reporter = reporter or Reporter(quiet=True)
    tally = Tally(dataset, label_scale)
    for frame in reporter.track(frames, len(frames), f"score {dataset.name}"):
        image, _ = read_pair(dataset, frame)
        logits = network_logits(session, image, size)[0]
        classes = class_map_at(logits, image.shape[:2])
        prediction = official_prediction(dataset, logits, classes)
        tally.add(frame, dataset.benchmark.count(frame, prediction, label_scale))
    return tally.score()


def predict_classes(session: Session, image: Image, size: Size) -> ClassMap:
    """The class map of an image, at its own size, from a network that takes ``size``."""
    return class_map_at(network_logits(session, image, size)[0], image.shape[:2])


def network_logits(session: Session, image: Image, size: Size) -> Tensor:
    """Logits (1, classes, h, w) of an image, of the network's ``size``."""
    inputs = session.prepare(resize_image(image, size)[None])
    logits = torch.from_numpy(session.fetch(session.run(inputs)))
    if not torch.isfinite(logits).all():
        raise SegbenchError(
            "The network's logits are not finite: its weights, or the precision of its runtime, "
            "overflow; use a runtime in FP32, or train again with a lower --lr."
        )
    return logits


def official_prediction(dataset: Dataset, logits: Tensor, predicted: ClassMap) -> NDArray[np.uint8]:
    """What the benchmark scores: the official ids of ``predicted``, or class 1's probability.

    ``logits`` are (classes, h, w) of any size.
    """
    if dataset.benchmark.output == "probability":
        logits = resize_logits(logits[None], predicted.shape)[0]
        return to_uint8_probability(logits.softmax(0)[1].cpu().numpy())
    return np.array(dataset.benchmark.ids, dtype=np.uint8)[predicted]


def predict_frame(session: Session, frame: Frame, size: Size) -> tuple[Image, ClassMap]:
    """A frame's image and its class map at the image's size; the frame needs no label."""
    image = read_image(frame.image)
    return image, predict_classes(session, image, size)
