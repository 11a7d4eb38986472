"""The options that name a trained network: a checkpoint, a file of weights, or an ONNX file."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from segbench.cli.options import FC, calibration_frames, data_root, device, keep_float
from segbench.inference.onnx_file import ORDERS, Numbers, OnnxOptions
from segbench.plugins import Registry

if TYPE_CHECKING:
    from segbench.inference.sources import Source

FILE = click.Path(path_type=Path)
SOURCES = ("checkpoint", "network", "weights", "model")
ONNX = tuple(each.name for each in fields(OnnxOptions))


class ThreeNumbers(click.ParamType):
    """``R,G,B``: a number for red, green and blue, or one for all three."""

    name = "R,G,B"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Numbers:
        """Parse "0.485,0.456,0.406"."""
        numbers = [_number(part) for part in str(value).split(",")]
        if len(numbers) == 1:
            numbers *= 3
        if len(numbers) != 3 or None in numbers:
            self.fail(f"{value!r} is not three numbers; write R,G,B.", param, ctx)
        red, green, blue = (number for number in numbers if number is not None)
        return red, green, blue


class PositiveNumber(click.ParamType):
    """``0.0039`` or ``1/255``."""

    name = "NUMBER"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Parse "1/255"."""
        number = _number(str(value))
        if number is None or not 0 < number < 1e30:
            self.fail(f"{value!r} is not above zero; write a number, or 1/255.", param, ctx)
        return number


def source_options(command: FC) -> FC:
    """--checkpoint, --network with --weights, and --model with what an ONNX file leaves unsaid."""
    return _with(onnx_options(command), NETWORK_OPTIONS)


def onnx_options(command: FC) -> FC:
    """--model, and what an ONNX file leaves unsaid."""
    return _with(command, ONNX_OPTIONS)


def take_onnx(given: dict[str, Any]) -> OnnxOptions:
    """The options of ONNX files out of ``given``, which loses them."""
    return OnnxOptions(**{name: given.pop(f"onnx_{name}") for name in ONNX})


def take_source(given: dict[str, Any], registry: Registry, dataset: str | None) -> "Source":
    """The one network that is named; ``given`` loses the options that name it."""
    from segbench.inference.sources import chosen_source

    onnx = take_onnx(given)
    named = {name: given.pop(name) for name in SOURCES}
    return chosen_source(registry, dataset, onnx=onnx, **named)


def engine_options(command: FC) -> FC:
    """A network and what it runs on."""
    return _with(source_options(command), ENGINE_OPTIONS)


def take_engine(given: dict[str, Any], registry: Registry) -> dict[str, Any]:
    """The runtime and the network that ``given`` names, which loses these options."""
    from segbench.inference.sources import default_runtime

    runtime = registry.runtime(given.pop("runtime_name") or default_runtime(given["model"]))
    source = take_source(given, registry, given.pop("dataset_name"))
    return {"runtime": runtime, "checkpoint": source}


dataset_option = click.option(
    "--dataset", "dataset_name", help="With --weights or --model: the dataset of its classes."
)


def _number(text: str) -> float | None:
    try:
        return float(Fraction(text.strip()))
    except (ValueError, ZeroDivisionError):
        return None


def _with(command: FC, options: Sequence[Callable[[Any], Any]]) -> FC:
    for option in reversed(options):
        command = option(command)
    return command


def _onnx(name: str, option: str, **settings: Any) -> Callable[[FC], FC]:
    return click.option(option, f"onnx_{name}", **settings)


NETWORK_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--checkpoint", type=FILE, help="A checkpoint of segbench run, or its folder."),
    click.option("--network", help="With --weights, in place of a checkpoint."),
    click.option(
        "--weights", type=FILE, metavar="FILE", help="Weights of --network for the classes."
    ),
)
ENGINE_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    dataset_option,
    click.option("--runtime", "runtime_name", help="Default: eager, or onnx for an ONNX file."),
    device,
    data_root,
    calibration_frames,
    keep_float,
)
ONNX_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--model", type=FILE, metavar="FILE.onnx", help="An ONNX file of your own."),
    _onnx(
        "mean",
        "--mean",
        type=ThreeNumbers(),
        help="ONNX: the file takes (RGB in 0..255 * scale - mean) / std. Default: its metadata's, "
        "else ImageNet's.",
    ),
    _onnx("std", "--std", type=ThreeNumbers(), help="ONNX: see --mean."),
    _onnx("scale", "--scale", type=PositiveNumber(), help="ONNX: see --mean. 1/255, or 1."),
    _onnx(
        "channels",
        "--channels",
        type=click.Choice(["rgb", "bgr"]),
        help="ONNX: order of the channels.  [default: rgb]",
    ),
    _onnx(
        "layout",
        "--layout",
        type=click.Choice(["nchw", "nhwc"]),
        help="ONNX: layout of the images. Default: as the graph has three channels.",
    ),
    _onnx(
        "class_order",
        "--class-order",
        metavar="|".join((*ORDERS, "FILE")),
        help="ONNX: which output is which class; FILE names one a line. Default: by names in the "
        "metadata, else by their number.",
    ),
    _onnx("output", "--model-output", metavar="NAME", help="ONNX: the output, where several fit."),
)
