"""Figures for a page or a paper: data in, a matplotlib ``Figure`` out, on white.

Widths are those of a journal's column, in inches. Names come from untrusted records, so text is
never parsed as mathematics.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from io import BytesIO
from itertools import pairwise
from typing import Any, ParamSpec, TypeVar

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from segbench.data.draw import overlay
from segbench.latency.statistics import (
    Seconds,
    percentile,
    supported_percents,
)
from segbench.scoring.bootstrap import Interval
from segbench.scoring.confusion import ratio
from segbench.text import printable
from segbench.types import IGNORED, ClassMap, Color, Image

COLUMN, PAGE, FRAMES = 3.5, 7.16, 9.0
DPI = 200
OPACITY = 0.6
ERROR = (208, 32, 32)
LEGEND_COLUMNS = 8
BLUE, PALE, ORANGE, GREY, INK = "#2b6ca3", "#9bbfdd", "#c8641b", "#8a8f94", "#1d1f21"
LONGEST = 22
HISTOGRAM_END = 99
"""The percentile where a histogram ends, so that outliers do not squeeze the rest."""
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "text.color": INK,
    "text.parse_math": False,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
    "lines.markersize": 3,
}

P = ParamSpec("P")
T = TypeVar("T")


def styled(draw: Callable[P, T]) -> Callable[P, T]:
    """Draw in this project's style, ignoring the user's matplotlibrc."""

    @wraps(draw)
    def inside(*args: P.args, **kwargs: P.kwargs) -> T:
        with rc_context(STYLE):
            return draw(*args, **kwargs)

    return inside


@styled
def as_png(figure: Figure) -> bytes:
    """The figure as a PNG; characters missing in the font become boxes."""
    png = BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing", category=UserWarning)
        figure.savefig(png, format="png", dpi=DPI, facecolor="white")
    return png.getvalue()


@styled
def learning_curves(curve: Sequence[Mapping[str, Any]]) -> Figure:
    """Loss (top) and mean IoU (bottom) of training and validation, over the epochs."""
    figure = Figure(figsize=(COLUMN, 3.4), layout="constrained")
    loss, miou = figure.subplots(2, 1, sharex=True)
    for axes, name, label in ((loss, "loss", "loss"), (miou, "miou", "mean IoU")):
        for part, title, color in (("train", "training", BLUE), ("val", "validation", ORANGE)):
            epochs, values = column(curve, "epoch"), column(curve, f"{part}_{name}")
            axes.plot(epochs, values, color=color, marker=".", label=title)
        axes.set_ylabel(label)
        axes.grid(axis="y", color=GREY, alpha=0.25, linewidth=0.5)
    if (best := best_epoch(curve)) is not None:
        place = (column(curve, "epoch")[best], column(curve, "val_miou")[best])
        miou.plot(*place, "o", color=ORANGE, markersize=6, fillstyle="none")
    loss.set_ylim(bottom=0)
    loss.legend(loc="upper right")
    miou.set_xlabel("epoch")
    miou.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(curve) == 1:
        miou.set_xlim(0.5, 1.5)
    return figure


@styled
def class_bars(
    names: Sequence[str], iou: NDArray[np.float64], intervals: Sequence[Interval | None]
) -> Figure:
    """A bar for the IoU of each class with its interval, and the mean as a line."""
    figure = Figure(figsize=(COLUMN, 0.6 + 0.19 * len(names)), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(names))
    axes.barh(places, np.nan_to_num(iou), height=0.68, color=PALE)
    for place, interval in zip(places, intervals, strict=True):
        if interval is not None:
            axes.plot(interval, (place, place), color=INK, linewidth=1, solid_capstyle="butt")
    if not np.isnan(iou).all():
        axes.axvline(float(np.nanmean(iou)), color=ORANGE, linewidth=1, linestyle="--")
    axes.set_yticks(places, [plain(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.set_xlabel("IoU, 95% interval over frames; dashed: mean")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=GREY, alpha=0.25, linewidth=0.5)
    axes.set_axisbelow(True)
    return figure


@styled
def confusion(names: Sequence[str], columns: Sequence[str], matrix: NDArray[np.int64]) -> Figure:
    """The confusion matrix (classes, columns) in percent of each row."""
    width = COLUMN if len(columns) <= 12 else PAGE
    figure = Figure(figsize=(width, width * 0.98), layout="constrained")
    axes = figure.subplots()
    shares = 100 * ratio(matrix, matrix.sum(1, keepdims=True))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    for (row, place), share in np.ndenumerate(shares):
        if share >= 0.5:
            color = "white" if share > 55 else INK
            axes.text(place, row, f"{share:.0f}", ha="center", va="center", color=color, size=6)
    axes.set_xticks(range(len(columns)), [plain(name) for name in columns], rotation=90)
    axes.set_yticks(range(len(names)), [plain(name) for name in names])
    axes.set_xlabel("predicted")
    axes.set_ylabel("ground truth")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


@styled
def latency_histogram(seconds: Seconds, units: str = "queries") -> Figure:
    """A histogram of the latencies of ``units`` up to p99, with the leaderboard's percentiles."""
    figure = Figure(figsize=(COLUMN, 2.3), layout="constrained")
    axes = figure.subplots()
    shown = 1e3 * seconds[seconds <= percentile(seconds, HISTOGRAM_END)]
    axes.hist(shown, bins=min(60, max(5, len(shown) // 4)), color=PALE)
    for percent, style in zip(supported_percents(len(seconds)), ("-", "--", ":"), strict=False):
        at = 1e3 * percentile(seconds, percent)
        label = f"p{percent}  {at:.4g} ms"
        axes.axvline(at, color=ORANGE, linewidth=1.2, linestyle=style, label=label)
    figure.legend(loc="outside upper center", ncols=3)
    axes.set_xlabel("latency, ms")
    axes.set_ylabel(units)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


@styled
def latency_over_time(seconds: Seconds, unit: str = "query") -> Figure:
    """The latency of every ``unit`` in order, and percentiles over windows."""
    figure = Figure(figsize=(COLUMN, 2.3), layout="constrained")
    axes = figure.subplots()
    axes.plot(1e3 * seconds, ".", color=GREY, alpha=0.6, markersize=3, markeredgewidth=0)
    edges, values = percentiles_over_time(seconds, (50, 90))
    for place, name, color in ((0, "p50", BLUE), (1, "p90", ORANGE)):
        axes.stairs(1e3 * values[:, place], edges, color=color, baseline=None, label=name, lw=1.4)
    axes.set_xlim(0, len(seconds))
    axes.set_ylim(bottom=0)
    figure.legend(loc="outside upper center", ncols=2)
    axes.set_xlabel(unit)
    axes.set_ylabel("latency, ms")
    axes.grid(axis="y", color=GREY, alpha=0.25, linewidth=0.5)
    return figure


@dataclass(frozen=True)
class View:
    """A frame with its ground truth and its prediction, (H, W) each; ``miou`` is the frame's."""

    id: str
    miou: float
    image: Image
    truth: ClassMap
    predicted: ClassMap

    @property
    def wrong(self) -> float:
        """The share of labelled pixels whose class is wrong."""
        labelled = self.truth != IGNORED
        return float((self.truth != self.predicted)[labelled].mean()) if labelled.any() else 0.0

    def drawn(self, palette: tuple[Color, ...]) -> dict[str, Image]:
        """Ground truth, prediction and errors as pictures (H, W, 3), by caption."""
        return {
            f"{plain(self.id)}, ground truth": overlay(self.image, self.truth, palette, OPACITY),
            f"prediction, mIoU {self.miou:.3f}": overlay(
                self.image, self.predicted, palette, OPACITY
            ),
            f"errors, {self.wrong:.1%} of labelled pixels": mark_errors(
                self.image, self.truth, self.predicted
            ),
        }


def classes_shown(
    views: Sequence[View], classes: tuple[str, ...], palette: tuple[Color, ...]
) -> dict[str, str]:
    """The colour of each class that occurs in a view, as ``#rrggbb``."""
    maps = [part.ravel() for view in views for part in (view.truth, view.predicted)]
    present = [index for index in np.unique(np.concatenate(maps)) if index < len(classes)]
    return {classes[index]: "#{:02x}{:02x}{:02x}".format(*palette[index]) for index in present}


@styled
def frame_rows(
    views: Sequence[View], classes: tuple[str, ...], palette: tuple[Color, ...]
) -> Figure:
    """Three pictures of each view in a row, with a legend of the classes shown."""
    shapes = [view.truth.shape for view in views]
    heights = [FRAMES / 3 * height / width + 0.16 for height, width in shapes]
    colors = classes_shown(views, classes, palette)
    layout = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.03)
    size = (FRAMES, sum(heights) + 0.1 + 0.16 * -(-len(colors) // LEGEND_COLUMNS))
    figure = Figure(figsize=size, layout=layout)
    grid = figure.subplots(len(views), 3, squeeze=False, height_ratios=heights)
    for row, view in zip(grid, views, strict=True):
        for axes, (title, picture) in zip(row, view.drawn(palette).items(), strict=True):
            axes.imshow(picture, interpolation="antialiased")
            axes.set_title(title, loc="left", pad=3)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(True)
            axes.spines[:].set_color(GREY)
    patches = [
        Patch(facecolor=color, edgecolor=GREY, lw=0.4, label=plain(name))
        for name, color in colors.items()
    ]
    figure.legend(handles=patches, loc="outside lower left", ncols=LEGEND_COLUMNS, handlelength=1)
    return figure


def mark_errors(image: Image, truth: ClassMap, predicted: ClassMap) -> Image:
    """The image in low-contrast grey, with wrong pixels in red.

    ``truth`` and ``predicted`` are (H, W). IGNORED pixels of the truth are white, which the grey
    never is.
    """
    grey = image.sum(-1, dtype=np.uint16) // 6 + 96
    marked = np.repeat(grey.astype(np.uint8)[..., None], 3, axis=-1)
    marked[truth != predicted] = ERROR
    marked[truth == IGNORED] = 255
    return marked


def percentiles_over_time(
    seconds: Seconds, percents: Sequence[int], windows: int = 24
) -> tuple[NDArray[np.int64], Seconds]:
    """Percentiles over windows of queries, which show a drift.

    The queries, in order, are cut into at most ``windows`` windows of at least twenty. Returns the
    ``w + 1`` queries at which windows begin and end, and (w, percents).
    """
    count = max(1, min(windows, len(seconds) // 20))
    edges = np.linspace(0, len(seconds), count + 1).round().astype(np.int64)
    stretches = [seconds[start:end] for start, end in pairwise(edges)]
    return edges, np.array([[percentile(s, percent) for percent in percents] for s in stretches])


def best_epoch(curve: Sequence[Mapping[str, Any]]) -> int | None:
    """The index of the first epoch with the highest validation mIoU; None if unknown."""
    values = column(curve, "val_miou")
    return None if np.isnan(values).all() else int(np.nanargmax(values))


def column(rows: Sequence[Mapping[str, Any]], name: str) -> NDArray[np.float64]:
    """One field of each row as a number; NaN if it is not one."""
    values = [row.get(name) for row in rows]
    return np.array([v if type(v) in (int, float) else np.nan for v in values], np.float64)


def plain(name: str) -> str:
    """A name on one line, cut if too long for the figure."""
    text = printable(name)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
