"""How closely a runtime's output matches the expected one."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segbench.types import Session

LEAST_AGREEMENT = 0.9
LEAST_FRESH_AGREEMENT = 0.5
LARGEST_FRESH_ERROR = 0.25


def full_batches(images: NDArray[np.uint8], batch_size: int) -> Iterator[NDArray[np.uint8]]:
    """Images (N, H, W, 3) in batches of ``batch_size``; the last is filled up from the first."""
    for start in range(0, len(images), batch_size):
        yield images[np.arange(start, start + batch_size) % len(images)]


def output_of(session: Session, images: NDArray[np.uint8]) -> NDArray[Any]:
    """Logits (N, classes, H, W) or class maps (N, H, W) of one batch, on the host."""
    return session.fetch(session.run(session.prepare(images)))


@dataclass
class Agreement:
    """Sums over the pixels of all frames; ``logits`` says whether logits were compared."""

    equal: int = 0
    pixels: int = 0
    squared_error: float = 0.0
    squared_reference: float = 0.0
    logits: bool = False

    def add(self, output: NDArray[Any], expected: NDArray[Any]) -> None:
        """Compare logits (N, classes, H, W) or class maps (N, H, W) with the expected ones.

        Class maps can be compared with logits, but not the other way round.
        """
        self.logits = output.ndim == 4
        classes = output.argmax(1) if self.logits else output
        wanted = expected.argmax(1) if expected.ndim == 4 else expected
        self.equal += int((classes == wanted).sum())
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
        """How the output differs too much from eager FP32.

        A trained network must predict the same class for 90% of the pixels. With random weights
        class maps differ by near-ties, so the logits count: their relative error may be up to a
        quarter. With class maps only, half of the pixels must agree.
        """
        error = self.error
        if not math.isfinite(self.squared_error):
            return ["its logits are not finite"]
        if not trained and error is not None:
            if error > LARGEST_FRESH_ERROR:
                return [f"its logits are {error:.0%} off those of eager FP32"]
            return []
        if self.share < (LEAST_AGREEMENT if trained else LEAST_FRESH_AGREEMENT):
            return [f"only {self.share:.1%} of its pixels match eager FP32"]
        return []
