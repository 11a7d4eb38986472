"""Likely wrong options for an ONNX file that scores suspiciously low."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from segbench.errors import SegbenchError
from segbench.types import CLASS_ORDERS, ModelFile, Size

from .load import IMAGENET, PLAIN, load_onnx

BETTER = 0.05
NORMALISATIONS = {
    "--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --scale 1/255": IMAGENET,
    "--mean 0 --std 1 --scale 1/255": (PLAIN[0], PLAIN[1], 1 / 255),
    "--mean 1 --std 1 --scale 2/255": ((1.0, 1.0, 1.0), PLAIN[1], 2 / 255),
    "--mean 0 --std 1 --scale 1": PLAIN,
}
Score = Callable[[ModelFile], float]


def likely_mistakes(file: ModelFile, size: Size, score: Score) -> str:
    """How ``file`` scores with the given options, and with which it scores better.

    Greedy search over channels, normalisation and class order: the best change first, until none
    helps.
    """

    def score_or_zero(other: ModelFile) -> float:
        try:
            return score(other)
        except SegbenchError:  # logits overflow without the normalisation that a network expects
            return 0.0

    told = best = score(file)
    steps: list[str] = []
    changed: dict[str, str] = {}
    while gains := [
        (score_or_zero(other), kind, option, other)
        for kind, option, other in _alternatives(file, size)
        if kind not in changed
    ]:
        found, kind, option, other = max(gains, key=lambda gain: gain[0])
        if found < best + BETTER:
            break
        best, file, changed[kind] = found, other, option
        steps.append(f", {found:.3f} with {' '.join(changed.values())}")
    worse = ", and no better with other channels, normalisations or class orders"
    return f"{told:.3f} as given" + ("".join(steps) or worse)


def _alternatives(file: ModelFile, size: Size) -> Iterator[tuple[str, str, ModelFile]]:
    """Every other channel order, normalisation and class order that fits the file."""
    told = load_onnx(file, size)
    other = "rgb" if told.details["input"].startswith("BGR") else "bgr"
    yield "channels", f"--channels {other}", _changed(file, channels=other)
    for option, (mean, std, scale) in NORMALISATIONS.items():
        changed = _changed(file, mean=mean, std=std, scale=scale)
        with suppress(SegbenchError):  # a file of integers takes the images as they are
            if load_onnx(changed, size).convention != told.convention:
                yield "normalisation", option, changed
    for order in CLASS_ORDERS:
        changed = _changed(file, class_order=order)
        with suppress(SegbenchError):  # it does not fit the outputs
            if load_onnx(changed, size).details["outputs"] != told.details["outputs"]:
                yield "class order", f"--class-order {order}", changed


def _changed(file: ModelFile, **changes: Any) -> ModelFile:
    return replace(file, options=replace(file.options, **changes))
