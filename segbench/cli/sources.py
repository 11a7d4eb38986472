"""Options that name a trained network: a checkpoint, a weights file, or a model file."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from segbench.cli.options import FC, calibration_frames, data_root, device, keep_float
from segbench.plugins import Registry
from segbench.types import CLASS_ORDERS, ModelOptions, Numbers

if TYPE_CHECKING:
    from segbench.inference.sources import Source

FILE = click.Path(path_type=Path)
SOURCES = ("checkpoint", "network", "weights", "model")
OF_MODEL = tuple(f"model_{each.name}" for each in fields(ModelOptions))
"""Names of the parameters that describe the --model file."""


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


def check_alone(*others: object) -> None:
    """Raise UsageError if a training names other starts than its checkpoint."""
    if any(others):
        raise click.UsageError(
            "A checkpoint has its own network and weights; "
            "leave --backbone, --network, --decoder and --weights out."
        )


def source_options(command: FC) -> FC:
    """--checkpoint, --network with --weights, or --model with options that describe its file."""
    return _with(model_options(command), NETWORK_OPTIONS)


def model_options(command: FC) -> FC:
    """--model and the options that describe its file."""
    return _with(command, MODEL_OPTIONS)


def take_model_options(given: dict[str, Any]) -> ModelOptions:
    """Remove the model file options from ``given`` and return them."""
    return ModelOptions(**{name.removeprefix("model_"): given.pop(name) for name in OF_MODEL})


def take_source(given: dict[str, Any], registry: Registry, dataset: str | None) -> "Source":
    """The named network; removes the options that name it from ``given``."""
    from segbench.inference.sources import chosen_source

    described = take_model_options(given)
    named = {name: given.pop(name) for name in SOURCES}
    return chosen_source(registry, dataset, model_options=described, **named)


def engine_options(command: FC) -> FC:
    """A network and its runtime."""
    return _with(source_options(command), ENGINE_OPTIONS)


def take_engine(given: dict[str, Any], registry: Registry) -> dict[str, Any]:
    """The named runtime and network; removes these options from ``given``."""
    from segbench.inference.sources import default_runtime

    name = given.pop("runtime_name") or default_runtime(registry, given["model"])
    runtime = registry.runtime(name)
    dataset = given.pop("dataset_name")
    if given["checkpoint"] and dataset:
        raise click.UsageError("A checkpoint has its own classes; leave --dataset out.")
    source = take_source(given, registry, dataset)
    return {"runtime": runtime, "checkpoint": source}


dataset_option = click.option(
    "--dataset", "dataset_name", help="With --weights or --model: the dataset of its classes."
)


def _number(text: str) -> float | None:
    try:
        return float(Fraction(text.strip()))
    except (OverflowError, ValueError, ZeroDivisionError):
        return None


def _with(command: FC, options: Sequence[Callable[[Any], Any]]) -> FC:
    for option in reversed(options):
        command = option(command)
    return command


def _of_model(name: str, option: str, **settings: Any) -> Callable[[FC], FC]:
    return click.option(option, f"model_{name}", **settings)


NETWORK_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--checkpoint", type=FILE, help="A checkpoint from segbench run, or its folder."),
    click.option("--network", help="With --weights, instead of a checkpoint."),
    click.option(
        "--weights", type=FILE, metavar="FILE", help="Weights of --network, trained on --dataset."
    ),
)
ENGINE_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    dataset_option,
    click.option("--runtime", "runtime_name", help="Default: eager, or the --model format's."),
    device,
    data_root,
    calibration_frames,
    keep_float,
)
MODEL_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--model",
        type=FILE,
        metavar="FILE",
        help="Your own network as a file, such as an ONNX file.",
    ),
    _of_model(
        "mean",
        "--mean",
        type=ThreeNumbers(),
        help="--model: the file takes (RGB in 0..255 * scale - mean) / std. Default: its "
        "metadata's, else ImageNet's.",
    ),
    _of_model("std", "--std", type=ThreeNumbers(), help="--model: see --mean."),
    _of_model("scale", "--scale", type=PositiveNumber(), help="--model: see --mean. 1/255, or 1."),
    _of_model(
        "channels",
        "--channels",
        type=click.Choice(["rgb", "bgr"]),
        help="--model: channel order.  [default: rgb]",
    ),
    _of_model(
        "layout",
        "--layout",
        type=click.Choice(["nchw", "nhwc"]),
        help="--model: image layout. Default: where the file has three channels.",
    ),
    _of_model(
        "class_order",
        "--class-order",
        metavar="|".join((*CLASS_ORDERS, "FILE")),
        help="--model: which output is which class; FILE has one name per line. Default: names in "
        "the metadata, else the number of outputs.",
    ),
    _of_model(
        "output", "--model-output", metavar="NAME", help="--model: the output, if several fit."
    ),
)
