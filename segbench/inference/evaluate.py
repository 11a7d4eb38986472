"""Session x dataset -> official scores, by the code that scores prediction files.

Logits are resized to the label's size before the argmax, a class at a time. Each frame's confusion
matrix is kept for the sums, the bootstrap interval and later comparisons.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from segbench.data.frames import read_pair, resize_image
from segbench.errors import SegbenchError
from segbench.inference.tensors import class_map_at, resize_logits
from segbench.progress import Reporter
from segbench.scoring.predictions import to_uint8_probability
from segbench.scoring.score import Score, Tally
from segbench.types import ClassMap, Counts, Dataset, Frame, Image, Session, Size
from segbench.workers.threads import Threads

ItemT = TypeVar("ItemT", bound="Frame | Path")
R = TypeVar("R")


def evaluate(
    session: Session,
    dataset: Dataset,
    frames: Sequence[Frame],
    size: Size,
    label_scale: int = 1,
    reporter: Reporter | None = None,
) -> Score:
    """Score ``session``, whose network takes ``size``, on labelled frames at label size."""

    def read(frame: Frame) -> Image:
        return read_pair(dataset, frame)[0]

    def count(frame: Frame, image: Image, logits: Tensor, classes: ClassMap) -> Counts:
        prediction = official_prediction(dataset, logits, classes)
        return dataset.benchmark.count(frame, prediction, label_scale)

    reporter = reporter or Reporter(quiet=True)
    tally = Tally(dataset, label_scale)
    what = f"score {dataset.name}"
    counts = predict_all(session, size, frames, read, count, reporter, what)
    for frame, each in zip(frames, counts, strict=True):
        tally.add(frame, each)
    return tally.score()


def predict_all(
    session: Session,
    size: Size,
    items: Sequence[ItemT],
    read: Callable[[ItemT], Image | None],
    finish: Callable[[ItemT, Image, Tensor, ClassMap], R],
    reporter: Reporter,
    what: str,
) -> list[R]:
    """The results of ``finish`` for each item, in order.

    It is called with the item, its image (H, W, 3), its logits (classes, h, w) and its classes (H,
    W). The network, which takes ``size``, runs in the caller's thread; meanwhile other threads read
    the next images and finish the last ones. Items for which ``read`` returns None are skipped.
    """

    def prepare(item: ItemT) -> tuple[ItemT, Image, Image] | None:
        image = read(item)
        return None if image is None else (item, image, resize_image(image, size))

    def run(prepared: tuple[ItemT, Image, Image]) -> tuple[ItemT, Image, Tensor]:
        item, image, resized = prepared
        try:
            return item, image, network_logits(session, resized, size)[0]
        except SegbenchError as error:
            name = item.image if isinstance(item, Frame) else item
            raise SegbenchError(f"{name}: {error.message}") from error

    def complete(seen: tuple[ItemT, Image, Tensor]) -> R:
        item, image, logits = seen
        return finish(item, image, logits, class_map_at(logits, image.shape[:2]))

    with Threads() as threads:
        prepared = filter(None, threads.map(prepare, items))
        finished = threads.map(complete, map(run, prepared))
        return list(reporter.track(finished, len(items), what))


def predict_classes(session: Session, image: Image, size: Size) -> ClassMap:
    """The class map of an image, at its own size, from a network that takes ``size``."""
    return class_map_at(network_logits(session, image, size)[0], image.shape[:2])


def network_logits(session: Session, image: Image, size: Size) -> Tensor:
    """Logits (1, classes, h, w) of an image, of the network's ``size``."""
    inputs = session.prepare(resize_image(image, size)[None])
    logits = torch.from_numpy(session.fetch(session.run(inputs)))
    if not torch.stack(logits.aminmax()).isfinite().all():  # ten times as fast as isfinite
        raise SegbenchError(
            "The network's logits are not finite: its weights, or the precision of its runtime, "
            "overflow; use a runtime in FP32, or train again with a lower --lr."
        )
    return logits


def official_prediction(dataset: Dataset, logits: Tensor, predicted: ClassMap) -> NDArray[np.uint8]:
    """The prediction that is scored: the official ids of ``predicted``, or class 1's probability.

    ``logits`` are (classes, h, w) of any size.
    """
    if dataset.benchmark.output == "probability":
        logits = resize_logits(logits[None], predicted.shape)[0]
        return to_uint8_probability(logits.softmax(0)[1].cpu().numpy())
    return np.array(dataset.benchmark.ids, dtype=np.uint8)[predicted]
