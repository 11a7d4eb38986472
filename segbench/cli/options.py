"""Option types that several commands share."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from segbench.plugins import Registry
from segbench.types import Size

FC = TypeVar("FC", bound=Callable[..., Any] | click.Command)


class SizeType(click.ParamType):
    """``HxW``: height and width in pixels, both above zero."""

    name = "HxW"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Size:
        """Parse "352x480" to (352, 480)."""
        height, cross, width = str(value).partition("x")
        if not (cross and height.isdecimal() and width.isdecimal()):
            self.fail(f"{value!r} is not a size; write HxW, such as 360x480.", param, ctx)
        if int(height) == 0 or int(width) == 0:
            self.fail(f"{value!r} is empty; height and width are at least 1.", param, ctx)
        return int(height), int(width)


class WholeRange(click.IntRange):
    """A range of whole numbers."""

    name = "whole number"


class FiniteRange(click.FloatRange):
    """A range of finite numbers; comparisons do not reject NaN."""

    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Parse "1e-3" to 0.001."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


class CountOrAuto(WholeRange):
    """A number above zero, or "auto"."""

    def __init__(self) -> None:
        super().__init__(min=1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse "8" to 8."""
        if value == "auto":
            return value
        if not str(value).lstrip("-").isdecimal():
            self.fail(f"{value!r} is not a number, nor auto.", param, ctx)
        return super().convert(value, param, ctx)


SIZE = SizeType()
COUNT = WholeRange(min=1)
BATCH_SIZE = CountOrAuto()


def sweep(
    *names: str, type: click.ParamType, help: str = "", default: Sequence[str] = ()
) -> Callable[[FC], FC]:
    """An option with several values, repeated or comma-separated; duplicates are dropped."""

    def split(
        ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
    ) -> tuple[Any, ...]:
        parts = [part.strip() for value in values for part in value.split(",")]
        return tuple(dict.fromkeys(type.convert(part, param, ctx) for part in parts))

    return click.option(
        *names,
        multiple=True,
        callback=split,
        default=default,
        show_default=True,
        metavar=f"{type.name.upper()},...",
        help=f"{help} Repeatable.".strip(),
    )


def _at_data_root(ctx: click.Context, param: click.Parameter, value: Path) -> Path:
    """Load the datasets described in the data root into the command's registry."""
    if isinstance(ctx.obj, Registry):
        ctx.obj = ctx.obj.at(value)
    return value


data_root = click.option(
    "--data-root",
    type=click.Path(path_type=Path),
    envvar="SEGBENCH_DATA",
    default=Path("data"),
    show_default="$SEGBENCH_DATA, else ./data",
    callback=_at_data_root,
    help="Folder of all datasets, or of this dataset.",
)
results = click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Folder for records.",
)
device = click.option(
    "--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N."
)
label_scale = click.option(
    "--label-scale",
    type=COUNT,
    default=1,
    show_default=True,
    help="Score every Nth label pixel each way; never ranked with full-size scores.",
)
opacity = click.option(
    "--opacity",
    type=FiniteRange(0, 1),
    default=0.5,
    show_default=True,
    help="Overlay opacity, 0 to 1.",
)
calibration_frames = click.option(
    "--calibration-frames",
    type=COUNT,
    help="INT8: maximum number of training images for calibration. Default: 128.",
)


def _layers(
    ctx: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...] | None:
    if "none" in value and len(value) > 1:
        raise click.BadParameter("'none' excludes other layers; leave one of them out.")
    return () if value == ("none",) else value or None


keep_float = click.option(
    "--keep-float",
    multiple=True,
    metavar="LAYER",
    callback=_layers,
    help="INT8: keep this layer, such as encoder.features.0, in floating point (repeatable). "
    "'none' quantises every encoder layer. Default: the few layers that cost too much accuracy.",
)
