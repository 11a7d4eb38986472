"""The arrays beside a record, validated before use.

An ``.npz`` is untrusted: nothing is unpickled, headers are checked against the data before memory
is allocated, and unneeded arrays are not read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from segbench.errors import RecordError
from segbench.records.record import Record

MAX_BYTES = 2**30
"""The largest array that is read: 1 GiB, the matrices of 5,900 frames with 150 classes."""

MAX_COUNT = 2**32
"""More pixels than any frame has; sums of smaller numbers do not overflow."""


@dataclass(frozen=True)
class ScoredFrames:
    """The confusion matrix of each frame, int64 (frames, C, C + 1) or (frames, C, C)."""

    ids: tuple[str, ...]
    classes: tuple[str, ...]
    confusions: NDArray[np.int64]


@dataclass(frozen=True)
class Samples:
    """Every timed query in order: its time and the number of its turn, (n,)."""

    seconds: NDArray[np.float64]
    block: NDArray[Any]


def read_arrays(path: Path, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
    """The arrays beside the record at ``path``: all, or the existing ones of ``names``.

    RecordError if one cannot be read, or is larger than ``MAX_BYTES``.
    """
    beside = path.with_suffix(".npz")
    try:
        if beside.exists() and not beside.is_file():
            raise ValueError("it is not a regular file")
        with ZipFile(beside) as archive:
            found = dict.fromkeys(member.removesuffix(".npy") for member in archive.namelist())
            return {
                name: _read_member(archive, f"{name}.npy")
                for name in found
                if names is None or name in names
            }
    except Exception as error:  # zipfile and NumPy raise anything on damaged files
        why = str(error).strip().rstrip(".") or type(error).__name__
        raise RecordError(
            f"The arrays {beside} cannot be read ({why}); restore the file or measure again."
        ) from error


def _read_member(archive: ZipFile, name: str) -> NDArray[Any]:
    size = archive.getinfo(name).file_size
    if size > MAX_BYTES:
        raise ValueError(f"{name} has {size / 1e9:.1f} GB, over the limit of 1 GiB")
    with archive.open(name) as member:
        version = np.lib.format.read_magic(member)
        headers = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        if version not in headers:
            raise ValueError(f"{name} has the unknown format version {version}")
        shape, by_columns, dtype = headers[version](member)
        if dtype.hasobject:
            raise ValueError(f"{name} holds pickled objects")
        needed = prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or needed != size - member.tell():
            raise ValueError(f"{name} claims {dtype} of shape {shape}, but its size differs")
        data = member.read()
        if len(data) != needed:
            raise ValueError(f"{name} is cut off")
    return np.ndarray(shape, dtype, data, order="F" if by_columns else "C")


def scored_frames(record: Record) -> ScoredFrames:
    """The frames of a run or evaluation; RecordError if the arrays do not fit the record."""
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
        or confusions.max() > MAX_COUNT
    ):
        _reject(record, "its confusion matrices do not fit its frames and classes")
    return ScoredFrames(tuple(map(str, ids)), classes, confusions.astype(np.int64))


def latency_samples(record: Record) -> Samples:
    """The queries of a latency record; RecordError if the arrays have none."""
    arrays = _arrays(record, ("seconds", "block"))
    seconds, block = arrays["seconds"], arrays["block"]
    kinds = seconds.dtype.kind + block.dtype.kind
    timed = kinds in ("fi", "fu") and seconds.ndim == 1 and seconds.shape == block.shape
    if not timed or not seconds.size or not (np.isfinite(seconds) & (seconds > 0)).all():
        _reject(record, "its times are not one positive number per query")
    return Samples(seconds, block)


def _arrays(record: Record, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    assert record.path is not None
    arrays = read_arrays(record.path, names)
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
