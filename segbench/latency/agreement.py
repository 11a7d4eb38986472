"""Whether a runtime gives what eager FP32 gives, on frames of the network's dataset."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segbench.data.frames import read_image, resize_image
from segbench.data.layouts import provide
from segbench.errors import DataError, SegbenchError, kept
from segbench.plugins import Registry
from segbench.types import Dataset, Session, Size

FRAMES = 4
NOISE = "noise"
LEAST_AGREEMENT = 0.9
LEAST_FRESH_AGREEMENT = 0.5
LARGEST_FRESH_ERROR = 0.25


@dataclass(frozen=True)
class Samples:
    """Images (N, H, W, 3) to compare outputs on, and where they come from."""

    images: NDArray[np.uint8]
    source: str


@dataclass
class Agreement:
    """Sums over the pixels of all frames; ``logits`` says whether there were logits to compare."""

    equal: int = 0
    pixels: int = 0
    squared_error: float = 0.0
    squared_reference: float = 0.0
    logits: bool = field(default=False)

    def add(self, output: NDArray[Any], expected: NDArray[np.float32]) -> None:
        """Count logits (N, classes, H, W) or class maps (N, H, W) against expected logits."""
        self.logits = output.ndim == 4
        classes = output.argmax(1) if self.logits else output
        self.equal += int((classes == expected.argmax(1)).sum())
        self.pixels += classes.size
        if self.logits:
            with np.errstate(invalid="ignore"):
                difference = np.subtract(output, expected, dtype=np.float64)
            self.squared_error += float(np.square(difference).sum())
            self.squared_reference += float(np.square(expected, dtype=np.float64).sum())

    @property
    def share(self) -> float:
        """The fraction of pixels with the same class."""
        return self.equal / self.pixels

    @property
    def error(self) -> float | None:
        """RMS of the logits' difference over RMS of the reference; None without logits."""
        if not self.logits:
            return None
        if self.squared_reference == 0:
            return 0.0 if self.squared_error == 0 else math.inf
        return math.sqrt(self.squared_error / self.squared_reference)

    def metrics(self) -> dict[str, float | None]:
        """The figures under the record's names."""
        error = self.error
        known = error is not None and math.isfinite(error)
        return {"agreement": self.share, "logit_error": error if known else None}

    def doubts(self, trained: bool) -> list[str]:
        """What is too far from eager FP32.

        A trained network must give the same class to 90% of the pixels. With random weights
        near-ties make class maps differ, so the logits count: their error may be a quarter of
        their size. Where there are only class maps, half of the pixels must agree.
        """
        error = self.error
        if error is not None and not math.isfinite(error):
            return ["its logits are not finite"]
        if not trained and error is not None:
            if error > LARGEST_FRESH_ERROR:
                return [f"its logits are {error:.0%} off those of eager FP32"]
            return []
        if self.share < (LEAST_AGREEMENT if trained else LEAST_FRESH_AGREEMENT):
            return [f"only {self.share:.1%} of its pixels have the class that eager FP32 gives"]
        return []


def dataset_of(registry: Registry, name: str | None) -> Dataset:
    """The dataset of that name; for random weights one that makes its own frames."""
    return registry.dataset(name) if name else registry.self_made_dataset()


def samples_to_compare(
    registry: Registry, dataset_name: str | None, data_root: Path, size: Size
) -> Samples:
    """Four frames of the dataset's scored split; seeded noise where they cannot be had."""
    try:
        dataset = dataset_of(registry, dataset_name)
        return Samples(_frames(dataset, data_root, size), f"{dataset.name} {dataset.score_split}")
    except SegbenchError:
        random = np.random.default_rng(0)
        return Samples(random.integers(0, 256, (FRAMES, *size, 3), dtype=np.uint8), NOISE)


def compare(
    sessions: Mapping[str, Session],
    reference: Session,
    images: NDArray[np.uint8],
    batch_size: int,
) -> dict[str, Agreement | Exception]:
    """Each session's agreement with the logits of ``reference``.

    Sessions take exactly ``batch_size`` images, so the last batch starts again at the first.
    Of a session that raises the error is returned; the others go on without it.
    """
    found = {name: Agreement() for name in sessions}
    errors: dict[str, Exception] = {}
    for start in range(0, len(images), batch_size):
        batch = images[np.arange(start, start + batch_size) % len(images)]
        expected = reference.fetch(reference.run(reference.prepare(batch)))
        for name in list(found):
            session = sessions[name]
            try:
                output = session.fetch(session.run(session.prepare(batch)))
            except Exception as error:
                errors[name] = kept(error)
                del found[name]
            else:
                found[name].add(output, expected)
    return errors | found


def _frames(dataset: Dataset, data_root: Path, size: Size) -> NDArray[np.uint8]:
    folder = dataset.locate(data_root)
    frames = dataset.frames(folder, dataset.score_split)
    if not frames:
        raise DataError(f"Split {dataset.score_split!r} of {dataset.name} has no frames.")
    chosen = frames[:: max(1, len(frames) // FRAMES)][:FRAMES]
    provide(dataset, folder, chosen)
    return np.stack([resize_image(read_image(frame.image), size) for frame in chosen])
