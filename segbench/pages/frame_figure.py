"""Frames as a figure: ground truth, prediction and errors of each, side by side or stacked."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch

from segbench.data.draw import mark_errors, overlay
from segbench.pages.figures import GREY, plain, styled
from segbench.types import IGNORED, ClassMap, Color, Image

WIDTH = 9.0
OPACITY = 0.6


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


@styled
def frame_rows(
    views: Sequence[View],
    classes: tuple[str, ...],
    palette: tuple[Color, ...],
    stacked: bool = False,
) -> Figure:
    """Three pictures of each view, and below them the colours of the classes that occur.

    They are a row, or if ``stacked`` a column on a third of the width.
    """
    columns = 1 if stacked else 3
    shapes = [view.truth.shape for view in views for _ in range(3 // columns)]
    heights = [WIDTH / 3 * height / width + 0.16 for height, width in shapes]
    colors = _legend(views, classes, palette)
    across = 3 if stacked else 8
    layout = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.03)
    size = (WIDTH * columns / 3, sum(heights) + 0.1 + 0.16 * -(-len(colors) // across))
    figure = Figure(figsize=size, layout=layout)
    grid = figure.subplots(len(heights), columns, squeeze=False, height_ratios=heights)
    for row, view in zip(grid.reshape(-1, 3), views, strict=True):
        pictures = {
            f"{plain(view.id)}, ground truth": overlay(view.image, view.truth, palette, OPACITY),
            f"prediction, mIoU {view.miou:.3f}": overlay(
                view.image, view.predicted, palette, OPACITY
            ),
            f"errors, {view.wrong:.1%} of labelled pixels": mark_errors(
                view.image, view.truth, view.predicted
            ),
        }
        for axes, (title, picture) in zip(row, pictures.items(), strict=True):
            axes.imshow(picture, interpolation="antialiased")
            axes.set_title(title, loc="left", pad=3)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(True)
            axes.spines[:].set_color(GREY)
    figure.legend(handles=colors, loc="outside lower left", ncols=across, handlelength=1)
    return figure


def _legend(
    views: Sequence[View], classes: tuple[str, ...], palette: tuple[Color, ...]
) -> list[Patch]:
    """A patch for each class that occurs."""
    maps = [part.ravel() for view in views for part in (view.truth, view.predicted)]
    present = [index for index in np.unique(np.concatenate(maps)) if index < len(classes)]
    colors = [tuple(part / 255 for part in palette[index]) for index in present]
    return [
        Patch(facecolor=color, edgecolor=GREY, linewidth=0.4, label=plain(classes[index]))
        for index, color in zip(present, colors, strict=True)
    ]
