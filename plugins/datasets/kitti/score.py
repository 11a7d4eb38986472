"""KITTI Road's official measure: maximum F1 over 256 thresholds of a road probability map.

Everything is computed from one histogram per frame: the road and non-road pixels at each
probability level. Histograms are summed over a category before any ratio is taken, as in the
development kit; they are kept per frame for the interval of MaxF. The kit compares a probability,
the float32 nearest to k/255, with float64 thresholds k/255. That float32 is never below k/255 (a
byte repeated in binary always rounds up), so "below the threshold k/255" means "of a level below
k", and integers suffice.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

import numpy as np
from numpy.typing import NDArray

from segbench.data.layouts import label_path, read_picture
from segbench.errors import DataError
from segbench.scoring.bootstrap import interval, resampled
from segbench.scoring.confusion import CONFUSION, ratio
from segbench.types import Counts, Frame, ScoreTable

from .birds_eye import read_calibration, to_birds_eye

Space = Literal["perspective", "bev"]

CATEGORIES = ("um", "umm", "uu")
LOW, HIGH = INTERVAL = ("MaxF_low", "MaxF_high")
MEASURES = ("MaxF", *INTERVAL, "AvgPrec", "PRE", "REC", "FPR", "FNR", "IoU")
INVALID = 512
ROAD_LEVEL = 128
EPSILON = 1e-10


@dataclass(frozen=True)
class KittiRoad:
    """MaxF, AvgPrec, PRE, REC, FPR, FNR (devkit) and IoU at p >= 128/255 (ours).

    MaxF_low and MaxF_high, also ours, are the 95% bootstrap interval of MaxF over frames; None for
    a single frame. ``spaces`` are "perspective", the image itself, and "bev", the bird's-eye view,
    for which every frame needs its calibration. The headline is that of the first: perspective by
    default, since it needs no calibration and is what a network is trained on. The server's figure
    is that of "bev".
    """

    spaces: tuple[Space, ...] = ("perspective", "bev")
    score_name: str = "MaxF"
    output: Literal["labels", "probability"] = "probability"
    ids: tuple[int, ...] = (0, 1)
    upload: ClassVar[str] = (
        "Upload those in bev/; perspective/ has the same maps from the camera's view."
    )
    options: ClassVar[Mapping[str, tuple[str, ...]]] = {"space": ("both", "perspective", "bev")}

    def with_options(self, chosen: Mapping[str, str]) -> "KittiRoad":
        """The benchmark in one ``space`` or in both."""
        space = chosen["space"]
        if space == "both":
            return self
        name = "MaxF in bird's-eye view" if space == "bev" else self.score_name
        return replace(self, spaces=(cast(Space, space),), score_name=name)

    def count(self, frame: Frame, prediction: NDArray[np.uint8], label_scale: int = 1) -> Counts:
        """The frame's histogram under "SPACE/ID": int64 (2, 256), non-road and road by level.

        The confusion matrix counts image pixels, with road from level 128. ``prediction`` is a
        probability map uint8 (H, W) of the label's size. With ``label_scale`` N label and
        prediction are sampled as [::N, ::N]; a prediction already of that size is unchanged. In the
        bird's-eye view each sampled pixel then covers N x N pixels.
        """
        frame_category(frame)
        road, valid = read_ground_truth(label_path(frame))
        if prediction.shape == road.shape:
            prediction = prediction[::label_scale, ::label_scale]
        taken = road[::label_scale, ::label_scale]
        if prediction.dtype != np.uint8 or prediction.shape != taken.shape:
            raise DataError(_misfit(frame, prediction, road.shape))
        pixels = np.where(valid[::label_scale, ::label_scale], prediction + 256 * taken, INVALID)
        counts: Counts = {CONFUSION: _confusion(_histogram(pixels))}
        for space in self.spaces:
            shown = pixels
            if space == "bev":
                shown = _from_above(frame, _enlarged(pixels, road.shape, label_scale))
            counts[f"{space}/{frame.id}"] = _histogram(shown)
        return counts

    def summarise(self, counts: Counts) -> dict[str, Any]:
        """{space: {category: {measure: fraction, ..., "frames": n}}}, categories with frames."""
        return {space: _summarise_space(counts, space) for space in self.spaces}

    def score(self, summary: Mapping[str, Any]) -> float | None:
        """MaxF over all frames ("urban") in the first space."""
        return summary[self.spaces[0]].get("urban", {}).get("MaxF")

    def tables(self, summary: Mapping[str, Any]) -> list[ScoreTable]:
        """The measures of each road category for each space, and the intervals of MaxF."""
        spaces = {key: value for key, value in summary.items() if isinstance(value, dict) and value}
        intervals = {
            space: tuple(measures["urban"][name] for name in INTERVAL)
            for space, measures in spaces.items()
            if LOW in measures["urban"]
        }
        tables = [_table(space, measures) for space, measures in spaces.items()]
        if intervals:
            tables.append(ScoreTable("95% interval of MaxF", ("low", "high"), intervals))
        return tables

    def submission(
        self, frame: Frame, prediction: NDArray[np.uint8]
    ) -> dict[str, NDArray[np.uint8]]:
        """Probability maps in both spaces; the server takes the bird's-eye one (800, 400)."""
        cells, _ = to_birds_eye(prediction, read_calibration(_calibration(frame)))
        return {f"bev/{frame.id}.png": cells, f"perspective/{frame.id}.png": prediction}


def frame_category(frame: Frame) -> str:
    """The road category, a prefix of KITTI's frame names: "um", "umm" or "uu"."""
    category = frame.id.split("_")[0]
    if category not in CATEGORIES:
        raise DataError(
            f"Frame {frame.id} is not in a category of KITTI Road: "
            "its name must start with um_, umm_ or uu_."
        )
    return category


def read_ground_truth(path: Path) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Read a ``gt_image_2`` PNG: bool (H, W) of road pixels and bool (H, W) of valid pixels."""
    picture = read_picture(path)
    if picture.format != "PNG" or picture.mode != "RGB":
        raise DataError(
            f"{path} is a {picture.format} picture of mode {picture.mode}, "
            "but KITTI Road's ground truth is an 8-bit RGB PNG."
        )
    pixels = np.asarray(picture)
    return pixels[..., 2] > 0, pixels[..., 0] > 0


def errors_by_threshold(histogram: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """False negatives and false positives at the thresholds k/255, (256,) each.

    ``histogram`` is (2, 256), non-road and road by level, or (..., 2, 256) of several. A pixel is
    predicted as road if its probability is not below the threshold.
    """
    below = histogram.cumsum(axis=-1) - histogram
    return below[..., 1, :], histogram[..., 0, :].sum(axis=-1, keepdims=True) - below[..., 0, :]


def _misfit(frame: Frame, prediction: NDArray[Any], size: tuple[int, ...]) -> str:
    due, given = ("x".join(map(str, shape)) for shape in (size, prediction.shape))
    return (
        f"The prediction of {frame.id} is {prediction.dtype} of size {given}, but it must be "
        f"uint8 of the size {due} (height x width) of its ground truth {frame.label}."
    )


def _enlarged(pixels: NDArray[Any], size: tuple[int, ...], step: int) -> NDArray[Any]:
    height, width = size
    return pixels.repeat(step, axis=0).repeat(step, axis=1)[:height, :width]


def _from_above(frame: Frame, pixels: NDArray[Any]) -> NDArray[Any]:
    cells, seen = to_birds_eye(pixels, read_calibration(_calibration(frame)))
    return cells[seen]


def _calibration(frame: Frame) -> Path:
    if frame.calibration is None:
        raise DataError(
            f"Frame {frame.id} has no calibration file: the bird's-eye view needs one; "
            "add it from data_road.zip; only segbench score, with -o space=perspective, needs none."
        )
    return frame.calibration


def _histogram(pixels: NDArray[Any]) -> NDArray[np.int64]:
    return np.bincount(pixels.ravel(), minlength=INVALID + 1)[:INVALID].reshape(2, 256)


def _confusion(histogram: NDArray[np.int64]) -> NDArray[np.int64]:
    off, on = histogram[:, :ROAD_LEVEL].sum(1), histogram[:, ROAD_LEVEL:].sum(1)
    return np.column_stack((off, on, np.zeros_like(on)))


def _table(space: str, categories: Mapping[str, Mapping[str, Any]]) -> ScoreTable:
    columns = tuple(name for name in next(iter(categories.values())) if name not in INTERVAL)
    rows = {name: tuple(row[key] for key in columns) for name, row in categories.items()}
    return ScoreTable(space, columns, rows)


def _summarise_space(counts: Counts, space: str) -> dict[str, dict[str, Any]]:
    """The measures of each category with frames, then of all; frames are sorted by id."""
    place = f"{space}/"
    ids = sorted(key.removeprefix(place) for key in counts if key.startswith(place))
    members = {name: [each for each in ids if each.split("_")[0] == name] for name in CATEGORIES}
    return {
        name: _measures(np.stack([counts[place + each] for each in frames]))
        for name, frames in (members | {"urban": ids}).items()
        if frames
    }


def _measures(histograms: NDArray[np.int64]) -> dict[str, float | int | None]:
    """The measures of frames' histograms (N, 2, 256); None if undefined."""
    histogram = histograms.sum(axis=0)
    negatives, positives = histogram.sum(axis=1)
    if positives == 0:
        return {**dict.fromkeys(MEASURES), "frames": len(histograms)}
    fn, fp = errors_by_threshold(histogram)
    tp = positives - fn
    precision, recall, f1 = _curves(histogram)
    best = int(f1.argmax())
    envelope = [precision[recall >= least].max() for least in np.arange(0, 1.1, 0.1)]
    low, high = interval(_curves(resampled(histograms))[2].max(axis=1)) or (None, None)
    return {
        "MaxF": float(f1[best]),
        LOW: low,
        HIGH: high,
        "AvgPrec": float(np.mean(envelope)),
        **_rates(tp[best], fp[best], fn[best], negatives - fp[best]),
        "IoU": float(tp[ROAD_LEVEL] / (positives + fp[ROAD_LEVEL])),
        "frames": len(histograms),
    }


def _curves(histograms: NDArray[Any]) -> tuple[NDArray[np.float64], ...]:
    """Precision, recall and F1 of histograms (..., 2, 256) at each threshold, (..., 256) each.

    Recall and F1 are NaN without road.
    """
    fn, fp = errors_by_threshold(histograms)
    positives = histograms[..., 1, :].sum(axis=-1, keepdims=True)
    tp = positives - fn
    recall = ratio(tp, positives)
    precision = tp / (tp + fp + EPSILON)
    return precision, recall, 2 * (precision * recall) / (precision + recall + EPSILON)


def _rates(*counts: np.int64) -> dict[str, float | None]:
    """PRE, REC, FPR and FNR at one threshold, in float32 as the development kit has them."""
    tp, fp, fn, tn = np.array(counts, dtype=np.float32)
    return {
        "PRE": float(tp / (tp + fp)),
        "REC": float(tp / (tp + fn)),
        "FPR": float(fp / (fp + tn)) if fp + tn else None,
        "FNR": float(fn / (tp + fn)),
    }
