"""The stages of the pipeline for each frame, and the frame rate that they show."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from itertools import repeat, takewhile
from time import perf_counter
from typing import Any

import numpy as np
from torch import Tensor

from segbench.data.draw import caption, legend, overlay
from segbench.data.frames import resize_image
from segbench.inference.evaluate import network_logits
from segbench.inference.opened import Opened
from segbench.inference.tensors import class_map_at
from segbench.types import ClassMap, Dataset, Image
from segbench.workers.threads import Threads

from .read import Footage, Orientation, Still
from .write import VideoWriter

Work = Callable[[Any], Any]

DECODE, NETWORK = "decode", "network"
LARGEST_SHARE = 1 / 4
"""The legend's share of a frame's height; frames too small for the names have none."""


class Legend:
    """A legend of the classes seen so far, which changes only when a class appears."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self._seen: set[int] = set()
        self._strips: dict[int, Image] = {}

    def over(self, image: Image, class_map: ClassMap) -> Image:
        """A copy of the image (H, W, 3) with the names; ``class_map`` (H, W) has its classes."""
        present = set(np.flatnonzero(np.bincount(class_map.ravel())).tolist())
        if not present <= self._seen:
            self._seen |= present
            self._strips.clear()
        height, width = image.shape[:2]
        if width not in self._strips:
            self._strips[width] = self._strip(width)
        strip = self._strips[width]
        drawn = image.copy()
        if len(strip) <= LARGEST_SHARE * height:
            drawn[height - len(strip) :] = strip
        return drawn

    def _strip(self, width: int) -> Image:
        seen = np.array([sorted(self._seen)], np.uint8)
        nothing = np.zeros((0, width, 3), np.uint8)
        return legend(nothing, seen, self.dataset.classes, self.dataset.palette)


class Rate:
    """Frames per second, over the last 30."""

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self._times: deque[float] = deque(maxlen=31)

    def count(self) -> float | None:
        """Count a frame and return the rate; None for the first frame."""
        self._times.append(self._clock())
        spent = self._times[-1] - self._times[0]
        return (len(self._times) - 1) / spent if spent else None


def stages(
    opened: Opened,
    orientation: Orientation,
    writer: VideoWriter,
    opacity: float,
    runtime: str,
) -> dict[str, Work]:
    """The functions applied to each Still in sequence, until it is in the file."""
    rate, names = Rate(), Legend(opened.dataset)

    def resize(still: Still) -> tuple[Still, Image]:
        return still, resize_image(still.image, opened.size)

    def network(resized: tuple[Still, Image]) -> tuple[Still, Tensor]:
        still, image = resized
        return still, network_logits(opened.session, image, opened.size)

    def draw(seen: tuple[Still, Tensor]) -> tuple[Still, Image]:
        still, logits = seen
        classes = class_map_at(logits[0], still.image.shape[:2])
        drawn = overlay(still.image, classes, opened.dataset.palette, opacity)
        drawn = names.over(drawn, classes)
        now = rate.count()
        measured = f"{now:.1f} frames/s" if now else "first frame"
        drawn = caption(drawn, f"{measured}, {runtime}\n{opened.session.engine}")
        return still, orientation.stored(drawn)

    def encode(finished: tuple[Still, Image]) -> None:
        still, stored = finished
        writer.write(stored, still.time, still.duration)

    return {"resize": resize, NETWORK: network, "draw": draw, "encode": encode}


def side_by_side(
    footage: Footage, works: Mapping[str, Work], seconds: dict[str, float]
) -> Iterator[None]:
    """Decode the frames and apply the stages, all but the network in threads, frame by frame.

    Yields for each finished frame. ``seconds`` collects the time of each stage.
    """

    def timed(name: str, work: Work) -> Work:
        seconds[name] = 0.0

        def run(item: Any) -> Any:
            started = perf_counter()
            try:
                return work(item)
            finally:
                seconds[name] += perf_counter() - started

        return run

    with ExitStack() as stack:

        def in_thread(work: Work, items: Iterator[Any]) -> Iterator[Any]:
            return stack.enter_context(Threads(1)).map(work, items)

        decode = timed(DECODE, lambda _: next(footage.stills, None))
        results: Iterator[Any] = takewhile(bool, in_thread(decode, repeat(None)))
        for name, work in works.items():
            run = timed(name, work)
            results = map(run, results) if name == NETWORK else in_thread(run, results)
        yield from results
