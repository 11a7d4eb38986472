"""What the arrays beside a record say, checked before anything is computed from them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segbench.errors import RecordError
from segbench.records.record import Record, read_arrays


@dataclass(frozen=True)
class ScoredFrames:
    """The confusion matrix of each frame, int64 (frames, C, C + 1) or (frames, C, C)."""

    ids: tuple[str, ...]
    classes: tuple[str, ...]
    confusions: NDArray[np.int64]


@dataclass(frozen=True)
class Samples:
    """Every timed query in the order of measuring: its time and the number of its turn, (n,)."""

    seconds: NDArray[np.float64]
    block: NDArray[Any]


def scored_frames(record: Record) -> ScoredFrames:
    """The frames of a run or an evaluation; RecordError where the arrays do not fit the record."""
    arrays = _arrays(record, ("confusion", "frames"))
    confusions, ids = arrays["confusion"], arrays["frames"]
    iou = record.per_class.get("iou")
    classes = tuple(iou) if isinstance(iou, dict) else ()
    count = len(classes)
    if (
        confusions.dtype.kind not in "iu"
        or confusions.shape[:2] != (len(ids), count)
        or confusions.shape[2:] not in ((count,), (count + 1,))
        or not confusions.size
        or confusions.min() < 0
    ):
        _reject(record, "its confusion matrices do not fit its frames and classes")
    return ScoredFrames(tuple(map(str, ids)), classes, confusions.astype(np.int64))


def latency_samples(record: Record) -> Samples:
    """The queries of a latency record; RecordError where the arrays hold none."""
    arrays = _arrays(record, ("seconds", "block"))
    seconds, block = arrays["seconds"], arrays["block"]
    timed = seconds.dtype.kind == "f" and seconds.ndim == 1 and seconds.shape == block.shape
    if not timed or not seconds.size or not (np.isfinite(seconds) & (seconds > 0)).all():
        _reject(record, "its times are no positive numbers, one a query")
    return Samples(seconds, block)


def _arrays(record: Record, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    assert record.path is not None
    arrays = read_arrays(record.path)
    for name in names:
        if name not in arrays:
            _reject(record, f"it has no array {name!r}")
        if arrays[name].ndim == 0:
            _reject(record, f"its array {name!r} is a single number")
    return arrays


def _reject(record: Record, why: str) -> None:
    assert record.path is not None
    raise RecordError(
        f"The arrays {record.path.with_suffix('.npz')} cannot be used ({why}); "
        "restore the file or measure again."
    )
