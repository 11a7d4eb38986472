"""The sections of a report: figures beside tables, as text and as pictures in the page."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
import PIL.Image
from matplotlib.figure import Figure

from segbench.latency.statistics import drift, percentile, supported_percents
from segbench.records.arrays import Samples, ScoredFrames
from segbench.records.record import Record
from segbench.scoring.bootstrap import bootstrap_iou
from segbench.scoring.confusion import iou, marginals, ratio
from segbench.types import Color, Image

from . import figures
from .figures import View
from .frames import best_and_worst, frame_miou

FRAMES_LISTED = 10
ELSEWHERE = "no class"
# Width of a frame's picture in pixels, so that three fit side by side on most screens.
WIDEST = 640
QUALITY = 80


@dataclass(frozen=True)
class Plate:
    """A figure; ``description`` is its alternative text.

    If there are ``pictures`` (captions and data URLs), a page shows them, three in a row, with
    their ``legend`` (names and CSS colours) instead of the figure.
    """

    name: str
    figure: Figure
    description: str
    caption: str
    pictures: Sequence[tuple[str, str]] = ()
    legend: Mapping[str, str] = field(default_factory=dict)

    @property
    def png(self) -> bytes:
        """The figure for a paper."""
        return figures.as_png(self.figure)

    @property
    def source(self) -> str:
        """The figure as a data URL."""
        return _data_url("png", self.png)


@dataclass(frozen=True)
class Table:
    """Rows of text whose first cell names the row."""

    caption: str
    headers: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


@dataclass(frozen=True)
class Section:
    """Figures beside tables under a heading, then tables that unfold on a click; all as text."""

    heading: str
    plates: tuple[Plate, ...] = ()
    tables: tuple[Table, ...] = ()
    folded: tuple[Table, ...] = ()
    text: str = ""


def score_sections(record: Record, frames: ScoredFrames) -> list[Section]:
    """The learning curve if there is one, the classes and the confusion matrix."""
    curve = [learning_section(record.curve)] if record.curve else []
    return [*curve, class_section(frames), confusion_section(frames)]


def learning_section(curve: Sequence[Mapping[str, Any]]) -> Section:
    """Loss and mean IoU over the epochs, with the epoch of the best validation mIoU."""
    names = ("train_loss", "val_loss", "train_miou", "val_miou")
    columns = {name: figures.column(curve, name) for name in ("epoch", *names)}
    rows = [
        (f"{epoch:.0f}", *(_figure(columns[name][index]) for name in names))
        for index, epoch in enumerate(columns["epoch"])
    ]
    at, best = figures.best_epoch(curve), ""
    if at is not None:
        best = f"Validation mIoU is highest after epoch {rows[at][0]}, {rows[at][4]}."
    drawn = Plate(
        "learning-curves",
        figures.learning_curves(curve),
        f"Learning curves over {len(curve)} epochs. {best}",
        f"Loss and mean IoU on the training and the validation split. {best}",
    )
    headers = ("epoch", "training loss", "validation loss", "training mIoU", "validation mIoU")
    return Section("Learning curves", (drawn,), folded=(Table("Learning curves", headers, rows),))


def class_section(frames: ScoredFrames) -> Section:
    """IoU of each class with its bootstrap interval, and its accuracy."""
    total = frames.confusions.sum(0)
    values, intervals = iou(total), bootstrap_iou(frames.confusions)
    true_positives, truth, _ = marginals(total)
    columns = (values, ratio(true_positives, truth), ratio(truth, truth.sum()))
    rows = [
        (name, _figure(value), _interval(between), _figure(recall), f"{share:.2%}")
        for name, value, recall, share, between in zip(
            frames.classes, *columns, intervals, strict=True
        )
    ]
    known = {row[0]: value for row, value in zip(rows, values, strict=True) if value >= 0}
    extent = "No class occurs."
    if known:
        low, high = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
        extent = f"From {known[low]:.3f} ({low}) to {known[high]:.3f} ({high})."
    drawn = Plate(
        "class-iou",
        figures.class_bars(frames.classes, values, intervals),
        f"Bars of the IoU of {len(frames.classes)} classes; the table has the figures. {extent}",
        "IoU of a single frame, without an interval."
        if len(frames.ids) == 1
        else f"IoU of each class over {len(frames.ids)} frames. The intervals are 95% percentile "
        "bootstrap intervals over frames.",
    )
    headers = ("class", "IoU", "95% interval", "accuracy", "share of pixels")
    return Section("Classes", (drawn,), (Table("IoU by class", headers, rows),))


def confusion_section(frames: ScoredFrames) -> Section:
    """The confusion matrix."""
    total = frames.confusions.sum(0)
    columns = frames.classes
    if total.shape[1] > len(columns):
        if total[:, -1].any():
            columns = (*columns, ELSEWHERE)
        else:
            total = total[:, :-1]
    shares = ratio(total, total.sum(1, keepdims=True))
    rows = [
        (name, *("-" if np.isnan(share) else f"{share:.1%}" for share in row))
        for name, row in zip(frames.classes, shares, strict=True)
    ]
    drawn = Plate(
        "confusion",
        figures.confusion(frames.classes, columns, total),
        "Confusion matrix, row-normalised; the table below has the figures.",
        "Predictions for the pixels of each class (row), in percent of the row; shares "
        "below 0.5% are left blank.",
    )
    table = Table("Confusion matrix", ("ground truth \\ predicted", *columns), rows)
    return Section("Confusion", (drawn,), folded=(table,))


def frame_section(
    frames: ScoredFrames, views: Sequence[View] = (), palette: tuple[Color, ...] = ()
) -> Section:
    """The best and worst frames by name, and ``views`` of some of them."""
    scores = frame_miou(frames.confusions)
    best, worst = best_and_worst(scores, FRAMES_LISTED)
    plates, tables = [], []
    for kind, chosen in (("worst", worst), ("best", best)):
        rows = [(frames.ids[index], _figure(scores[index])) for index in chosen]
        if rows:
            tables.append(Table(f"The {kind} frames", ("frame", "mIoU"), rows))
        names = [name for name, _ in rows]
        shown = sorted(
            (view for view in views if view.id in names), key=lambda view: names.index(view.id)
        )
        if shown:
            listed = ", ".join(f"{view.id} (mIoU {view.miou:.3f})" for view in shown)
            frame_plate = Plate(
                f"{kind}-frames",
                figures.frame_rows(shown, frames.classes, palette),
                f"The {kind} frames, each with ground truth, prediction and errors: {listed}.",
                f"The {kind} frames. Errors are red; pixels without a label are white there and "
                "are not scored.",
                [
                    (caption, _webp(image))
                    for view in shown
                    for caption, image in view.drawn(palette).items()
                ],
                figures.classes_shown(shown, frames.classes, palette),
            )
            plates.append(frame_plate)
    text = (
        "The mIoU of a frame is the mean over the classes in its ground truth. It ranks frames and "
        "is not part of the score."
    )
    if not views:
        text += " With --checkpoint FILE, segbench report draws the frames too."
    return Section("Best and worst frames", tuple(plates), tuple(tables), text=text)


def latency_section(samples: Samples, group: int = 1) -> Section:
    """The distribution of latencies, and whether they drifted.

    A sample is the mean of ``group`` queries.
    """
    seconds = samples.seconds
    timed, unit, units = f"{len(seconds)} timed queries", "query", "queries"
    if group > 1:
        timed = f"{len(seconds)} samples, each the mean of {group} queries"
        unit, units = "sample", "samples"
    percents = supported_percents(len(seconds))
    end = percentile(seconds, figures.HISTOGRAM_END)
    beyond = int((seconds > end).sum())
    within = "none are left out."
    if beyond:
        within = (
            f"the axis ends at p{figures.HISTOGRAM_END}, with {beyond} beyond it, up to "
            f"{1e3 * seconds.max():.4g} ms."
        )
    spread = ", ".join(f"p{p} {1e3 * percentile(seconds, p):.4g} ms" for p in percents)
    drifted = f"From the first third to the last the median changed by {drift(seconds):+.1%}."
    histogram = Plate(
        "latency-histogram",
        figures.latency_histogram(seconds, units),
        f"Histogram of {len(seconds)} latencies: {spread}.",
        f"All {timed}; {within}",
    )
    over_time = Plate(
        "latency-over-time",
        figures.latency_over_time(seconds, unit),
        f"Latency of each {unit} in order. {drifted}",
        f"{units.capitalize()} in order (points), and percentiles over windows of {units}. "
        f"{drifted}",
    )
    return Section("Latency", (histogram, over_time))


def _figure(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.4f}"


def _interval(interval: tuple[float, float] | None) -> str:
    return "-" if interval is None else "{:.4f} to {:.4f}".format(*interval)


def _webp(image: Image) -> str:
    picture = PIL.Image.fromarray(image)
    picture.thumbnail((WIDEST, WIDEST))
    data = BytesIO()
    picture.save(data, "webp", quality=QUALITY)
    return _data_url("webp", data.getvalue())


def _data_url(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
