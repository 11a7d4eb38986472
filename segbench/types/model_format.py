"""Formats of model files: networks that users bring with their weights, for ``--model``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from segbench.networks.network import Network
from segbench.types.basic import Size
from segbench.types.dataset import Dataset
from segbench.types.runtime import Runtime

Numbers = tuple[float, float, float]
CLASS_ORDERS = ("train-ids", "background-first", "label-ids")
"""The orders of outputs; the alternative is a file of class names."""


@dataclass(frozen=True)
class ModelOptions:
    """Options for a model file; None uses the file's metadata, or the usual default.

    The network takes (RGB in 0..255 * ``scale`` - ``mean``) / ``std``, all three for red, green
    and blue, in the order ``channels``. ``class_order`` is one of ``CLASS_ORDERS``, or a file that
    names the class of each output, one per line. ``output`` names the output to use.
    """

    mean: Numbers | None = None
    std: Numbers | None = None
    scale: float | None = None
    channels: Literal["rgb", "bgr"] | None = None
    layout: Literal["nchw", "nhwc"] | None = None
    class_order: str | None = None
    output: str | None = None


@dataclass(frozen=True)
class ModelFile:
    """A file with a network for the classes of ``dataset``, and the user's options for it."""

    path: Path
    dataset: Dataset
    options: ModelOptions = field(default_factory=ModelOptions)


@dataclass(frozen=True, kw_only=True)
class FileNetwork(Network):
    """The network of a model file, with its weights, for images of ``size``.

    ``build`` returns the file's own module for the dataset's classes. ``sha256`` is needed only if
    the weights are in more than one file. ``details`` ("input") go into the ``config`` of records,
    and ``notes`` are assumptions about the file.
    """

    size: Size
    sha256: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@runtime_checkable
class CountsWork(Protocol):
    """A module that states the cost of a forward pass, if PyTorch cannot count it."""

    def count_work(self, batch_size: int, size: Size) -> tuple[float, float]:
        """Operations, and values that convolutions and matrix products read and write."""
        ...


@dataclass(frozen=True)
class ModelFormat:
    """A format of model files, which have one of the ``suffixes`` (".onnx").

    ``load`` reads the network of a file for images of a size; None is the file's own, or the modern
    recipe's if the file takes any. It raises SegbenchError for a damaged file, or one that does not
    fit the dataset. ``runtime`` names the default runtime of such files; others list the format in
    ``loads``. ``mistakes`` says which other options score better for a file that scores low ("0.1
    as given, 0.7 with --channels bgr"); it gets the size, and a function that scores the file with
    any options on a few frames.
    """

    name: str
    summary: str
    suffixes: tuple[str, ...]
    load: Callable[[ModelFile, Size | None], FileNetwork]
    runtime: str
    mistakes: Callable[[ModelFile, Size, Callable[[ModelFile], float]], str] | None = None
    requires: tuple[str, ...] = ()

    def runs_on(self, runtime: Runtime) -> bool:
        """Whether a runtime can run files of this format."""
        return runtime.name == self.runtime or self.name in runtime.loads
