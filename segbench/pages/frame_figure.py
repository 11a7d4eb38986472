"""Frames as a figure: ground truth, prediction and errors side by side, a row a frame."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch

from segbench.pages.figures import GREY, plain, styled
from segbench.render import mark_errors, overlay
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
    views: Sequence[View], classes: tuple[str, ...], palette: tuple[Color, ...]
) -> Figure:
    """A row for each view, and below them the colours of the classes that occur."""
    shapes = [view.truth.shape for view in views]
    heights = [WIDTH / 3 * height / width + 0.16 for height, width in shapes]
    layout = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.03)
    figure = Figure(figsize=(WIDTH, sum(heights) + 0.38), layout=layout)
    grid = figure.subplots(len(views), 3, squeeze=False, height_ratios=heights)
    for row, view in zip(grid, views, strict=True):
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
    maps = [part.ravel() for view in views for part in (view.truth, view.predicted)]
    present = [index for index in np.unique(np.concatenate(maps)) if index < len(classes)]
    colors = [tuple(part / 255 for part in palette[index]) for index in present]
    handles = [
        Patch(facecolor=color, edgecolor=GREY, linewidth=0.4, label=plain(classes[index]))
        for index, color in zip(present, colors, strict=True)
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=8, handlelength=1)
    return figure
