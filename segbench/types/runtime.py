"""Runtimes: engines that run networks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from segbench.progress import Reporter
from segbench.types.basic import Arithmetic, Color, Size

if TYPE_CHECKING:
    from segbench.networks.model import SegmentationModel


@dataclass(frozen=True)
class Calibration:
    """Training frames to measure the ranges of INT8 activations on.

    ``images`` are uint8 (N, H, W, 3) at the network's input size. ``held_back_images`` and
    ``held_back_labels`` (class maps of that size, or None for an untrained network)
    are other training frames, on which calibration methods are compared. ``frames`` and ``source``
    ("mine train") go into the record.
    """

    source: str
    frames: tuple[str, ...]
    images: NDArray[np.uint8]
    held_back_images: NDArray[np.uint8] | None = None
    held_back_labels: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Description:
    """The description of the network in an exported file.

    ``classes`` and ``palette`` (RGB) are in the order of the logits; both are empty if the dataset
    was not installed for the export. ``input`` and ``output`` describe the tensors in words.
    """

    segbench_version: str
    dataset: str
    classes: tuple[str, ...]
    palette: tuple[Color, ...]
    checkpoint_sha256: str
    input: str
    output: str


@dataclass(frozen=True)
class Setup:
    """How a session is opened.

    ``output`` "logits" is float32 (N, classes, H, W); "labels" has the argmax in the graph and
    returns class maps, uint8 (N, H, W). ``threads`` None uses the session's default:
    ``segbench.device.cpu_threads``, or torch's. ``calibration`` is set for runtimes that need it.
    ``keep_float`` names the layers that an INT8 runtime keeps in floating point; None lets it
    choose by cost in accuracy. ``reporter`` shows the progress of slow steps such as calibration.
    Only for ``Runtime.export``: ``dynamic`` leaves batch and size open, ``compute_capability``
    ("8.9") names the GPU that an engine is built for, and ``description`` is written to the file if
    its format allows.
    """

    size: Size
    batch_size: int = 1
    device: str = "auto"
    output: Literal["logits", "labels"] = "logits"
    threads: int | None = None
    calibration: Calibration | None = None
    keep_float: tuple[str, ...] | None = None
    reporter: Reporter = field(default_factory=Reporter, compare=False, repr=False)
    dynamic: bool = False
    compute_capability: str | None = None
    description: Description | None = None


class Session(Protocol):
    """A network loaded on one engine, fixed in size and batch.

    ``engine`` says what really runs, for the record, and ``details`` are further JSON values for
    it: ``file_mb`` if the engine loads a file, ``quantization`` if it is quantised, and ``doubts``,
    sentences that make its latency INVALID. The steps are separate so that each can be timed:
    ``prepare`` copies uint8 images (N, H, W, 3) to the device, ``run`` computes the output there,
    ``fetch`` copies it to the host: float32 logits (N, classes, H, W), or uint8 class maps (N, H,
    W).
    """

    engine: str
    details: Mapping[str, Any]

    def prepare(self, images: NDArray[np.uint8]) -> Any:
        """The images on the device."""

    def run(self, inputs: Any) -> Any:
        """The output, on the device."""

    def fetch(self, outputs: Any) -> NDArray[Any]:
        """The output, on the host."""

    def synchronize(self) -> None:
        """Wait until the device has finished all work."""


@dataclass(frozen=True)
class Peak:
    """An engine's peak performance on a machine, for the roofline.

    ``precision`` ("INT8") names the type of stored values, ``value_bytes`` its size.
    ``flop_per_s`` is operations per second; a multiply-add counts as two.
    """

    precision: str
    value_bytes: int
    flop_per_s: float


@dataclass(frozen=True)
class Runtime:
    """An engine to run networks on; ``name`` includes the precision, as in "onnx-int8".

    ``precision`` is what it computes the network in; a score in 16 bits or INT8 holds only for the
    kind of device that it was measured on, one in FP32 (or more) for all. ``open`` returns a
    Session. ``check`` raises SegbenchError if this machine cannot run it; it is called before any
    slow work. ``lacking`` says in a sentence, without torch, what this machine lacks to run it; it
    is called before ``check``, but not for an export, which needs less. ``calibrates`` says that it
    needs ``Setup.calibration``. ``export`` writes the engine's file, if it has one, and returns
    details to print; ``export_options`` are the supported ones of "dynamic" and
    "compute_capability", and ``export_suffixes`` the allowed suffixes. ``fp16`` names the runtime
    that ``segbench latency`` measures together with this one, as INT8 should be faster than FP16.
    ``peak`` measures the engine's own kernels with the threads and device of the setup; without it
    the roofline is that of PyTorch in FP32, and there is none in 16 bits or INT8. ``loads`` names
    the formats of model files ("onnx") that it runs. An entry of ``requires`` may name alternatives
    ("onnxruntime-gpu|onnxruntime").
    """

    name: str
    summary: str
    open: "Callable[[SegmentationModel, Setup], Session]"
    requires: tuple[str, ...] = ()
    check: "Callable[[Setup], object] | None" = None
    lacking: Callable[[], str | None] | None = None
    calibrates: bool = False
    export: "Callable[[SegmentationModel, Setup, Path], Mapping[str, Any]] | None" = None
    export_options: tuple[str, ...] = ()
    export_suffixes: tuple[str, ...] = (".onnx",)
    fp16: str | None = None
    peak: Callable[[Setup], Peak] | None = None
    loads: tuple[str, ...] = ()
    precision: Arithmetic = "fp32"
