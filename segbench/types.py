"""The nouns of segbench: what a plugin gives and what the harness passes around.

Sizes are (height, width) in pixels everywhere. Images are uint8 RGB of shape (H, W, 3). A *class
map* is uint8 of shape (H, W) and holds indices into ``Dataset.classes``; in ground truth
``IGNORED`` marks the pixels that no score counts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from segbench.progress import Reporter

if TYPE_CHECKING:
    import click
    from torch import Tensor, nn

    from segbench.model import SegmentationModel

IGNORED = 255

Size = tuple[int, int]
Color = tuple[int, int, int]
ClassMap = NDArray[np.uint8]
Image = NDArray[np.uint8]
Counts = dict[str, NDArray[Any]]
Arithmetic = Literal["fp32", "fp16", "bf16", "int8"]


@dataclass(frozen=True)
class Frame:
    """One image of a dataset and the files that belong to it.

    ``id`` is unique in its split and names the frame in messages and outputs. The paths follow
    the dataset's layout; whoever needs a file checks that it is there. ``label`` is None where
    the benchmark keeps its labels to itself.
    """

    id: str
    image: Path
    label: Path | None = None
    instances: Path | None = None
    calibration: Path | None = None


@dataclass(frozen=True)
class InputConvention:
    """How a backbone's weights want to be fed: (RGB in 0..255 - mean) / std, and the padding."""

    mean: Color | tuple[float, float, float] = (123.675, 116.28, 103.53)
    std: Color | tuple[float, float, float] = (58.395, 57.12, 57.375)
    padding: Literal["symmetric", "same"] = "symmetric"


class Encoder(Protocol):
    """A torch module: (N, 3, H, W) normalised -> features at strides 8, 16 and 32.

    ``channels`` are the depths of the three features. H and W are multiples of 32.
    """

    channels: tuple[int, int, int]

    def __call__(self, images: "Tensor") -> "tuple[Tensor, Tensor, Tensor]":
        """The features at strides 8, 16 and 32."""


@dataclass(frozen=True)
class Backbone:
    """A network for FCN8s to stand on.

    ``build`` makes the encoder (a torch module that is an ``Encoder``) with fresh weights and the
    padding its input convention names. ``imagenet`` downloads a state dict that fits it, or is
    None where there is none. Keys of the encoder that start with one of ``may_start_fresh`` may
    be missing from a weights file; ``adapt`` translates a foreign state dict's keys first.
    ``modern_lr_scale`` multiplies the rate at which the encoder learns in the modern recipe, which
    suits networks with batch normalisation. ``title`` is the published name ("VGG16"), as tables
    show it; "" is ``name``. ``default`` marks the one to take where none is named.
    """

    name: str
    summary: str
    build: "Callable[[InputConvention], nn.Module]"
    title: str = ""
    convention: InputConvention = InputConvention()
    imagenet: "Callable[[], Mapping[str, Tensor]] | None" = None
    adapt: "Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]] | None" = None
    may_start_fresh: tuple[str, ...] = ()
    modern_lr_scale: float = 1.0
    default: bool = False
    requires: tuple[str, ...] = ("torch",)


@dataclass(frozen=True)
class BackboneFamily:
    """Backbones that are too many to list: those whose names start with ``prefix``.

    ``find`` takes the rest of a name and gives the backbone, or raises PluginError. ``names``
    gives the rests that there are.
    """

    name: str
    summary: str
    prefix: str
    find: Callable[[str], Backbone]
    names: Callable[[], Sequence[str]]
    requires: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network that makes class logits of images.

    ``build`` takes the number of classes and the input convention and makes a torch module with
    random weights. The module takes images (N, 3, H, W), normalised by the convention, H and W
    multiples of ``stride``, and gives logits (N, classes, H / ``output_stride``,
    W / ``output_stride``). Normalising, padding, resizing and cropping are segbench's.

    ``weights`` downloads state dicts by name ("imagenet"); they, and a file of weights, fill the
    submodule ``pretrained_part`` ("backbone"; "" is the whole). That part learns at the recipe's
    ``encoder_lr_scale``, times ``modern_lr_scale`` in the modern recipe, unless it is the whole.
    ``adapt`` translates a foreign state dict for so many classes. Keys that start with one of
    ``may_start_random`` may be missing from a file; those of ``score_layers``, which depend on
    the number of classes, also start from random numbers where their shape differs. ``modern``
    are changes to a dataset's modern recipe. ``title`` is the published name ("ENet"), as tables
    show it; "" is ``name``.
    """

    name: str
    summary: str
    build: "Callable[[int, InputConvention], nn.Module]"
    title: str = ""
    convention: InputConvention = InputConvention()
    stride: int = 1
    output_stride: int = 1
    weights: "Mapping[str, Callable[[], Mapping[str, Tensor]]]" = field(default_factory=dict)
    pretrained_part: str = ""
    adapt: "Callable[[Mapping[str, Tensor], int], Mapping[str, Tensor]] | None" = None
    may_start_random: tuple[str, ...] = ()
    score_layers: tuple[str, ...] = ()
    modern: Mapping[str, Any] = field(default_factory=dict)
    modern_lr_scale: float = 1.0
    requires: tuple[str, ...] = ("torch",)

    @property
    def config(self) -> dict[str, str]:
        """What tells it from other networks, for checkpoints and records."""
        return {"network": self.name}

    @property
    def plugin(self) -> "Network | Backbone":
        """The item of a plugin that it comes from."""
        return self


@dataclass(frozen=True)
class Augmentation:
    """Random changes to a training batch; the defaults change nothing.

    ``scale`` is the range of the zoom, followed by a random crop to the size trained on (or by
    padding with ignored pixels). ``brightness`` is added in levels of 0..255, ``contrast``
    multiplies about 128, ``saturation`` mixes with grey; each is a (low, high) range.
    """

    scale: tuple[float, float] = (1.0, 1.0)
    flip: bool = False
    brightness: tuple[float, float] = (0.0, 0.0)
    contrast: tuple[float, float] = (1.0, 1.0)
    saturation: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True)
class Recipe:
    """How to train: everything about a run that is neither the network nor the data.

    The network is validated and scored at ``size``. It is trained on random windows of ``crop``,
    where that is not None: a fraction of the work at full resolution.

    ``class_weights`` weights class c by 1 / ln(``class_weight_offset`` + its share of the pixels).
    ``lovasz`` is the weight of the Lovász softmax loss beside the cross-entropy. ``ema`` is the
    decay, a step, of the moving average of the weights that is validated and kept; None keeps the
    weights themselves. ``accumulate`` passes as many images of a batch at once as fit the memory,
    and adds up their gradients. ``source`` says where the settings come from, for ``segbench
    recipes``.
    """

    name: str
    size: Size
    epochs: int
    batch_size: int
    lr: float
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = "adamw"
    schedule: Literal["constant", "plateau", "one-cycle", "poly"] = "one-cycle"
    weight_decay: float = 0.0
    encoder_lr_scale: float = 1.0
    patience: int | None = None
    class_weights: bool = False
    class_weight_offset: float = 1.02
    lovasz: float = 0.0
    ema: float | None = None
    precision: Literal["fp32", "fp16", "bf16", "auto"] = "fp32"
    augmentation: Augmentation = field(default_factory=Augmentation)
    crop: Size | None = None
    accumulate: bool = False
    source: str = ""


class Benchmark(Protocol):
    """A benchmark's official measure, in two steps so that frames can be counted anywhere.

    A prediction is a uint8 (H, W) array at label size: for ``output`` "labels" the official ids
    (``ids[class]``), for "probability" the probability of class 1 as uint8(p * 255 + 0.5).
    """

    @property
    def score_name(self) -> str:
        """The name of the headline figure: "miou", "MaxF"."""

    @property
    def output(self) -> Literal["labels", "probability"]:
        """What a prediction holds."""

    @property
    def ids(self) -> tuple[int, ...]:
        """The official id of each class."""

    def count(self, frame: Frame, prediction: NDArray[np.uint8], label_scale: int = 1) -> Counts:
        """One frame's counts; counts of several frames are added key by key.

        Under "confusion" is the matrix (classes, classes + 1): rows are the ground truth, the
        last column counts predictions that are no class.
        """

    def summarise(self, counts: Counts) -> dict[str, Any]:
        """The official result of summed counts, as JSON values with None for absent classes."""

    def score(self, summary: Mapping[str, Any]) -> float | None:
        """The headline figure of ``summarise``'s result, a fraction."""


@runtime_checkable
class Submittable(Protocol):
    """A benchmark with a test server."""

    @property
    def upload(self) -> str:
        """Which of the files the server takes, as a sentence."""

    def submission(
        self, frame: Frame, prediction: NDArray[np.uint8]
    ) -> Mapping[str, NDArray[np.uint8]]:
        """The files of one test frame: relative path to the uint8 (H, W) picture to upload."""


@runtime_checkable
class Doubtful(Protocol):
    """A benchmark whose prediction files may be of another kind than they should be."""

    def doubts(self, counts: Counts) -> list[str]:
        """Sentences on what the summed counts of prediction files make one suspect."""


@runtime_checkable
class Configurable(Protocol):
    """A benchmark with options, for ``segbench score -o KEY=VALUE``."""

    @property
    def options(self) -> Mapping[str, tuple[str, ...]]:
        """The values that each option takes, the default first."""

    def with_options(self, chosen: Mapping[str, str]) -> Benchmark:
        """The benchmark with these options, whose keys and values are valid."""


@dataclass(frozen=True)
class ScoreTable:
    """Rows of figures by name: fractions, counts of frames, or None for what is undefined."""

    title: str
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[float | int | None, ...]]


@runtime_checkable
class Tabular(Protocol):
    """A benchmark that reports more than the IoU and accuracy of each class."""

    def tables(self, summary: Mapping[str, Any]) -> Sequence[ScoreTable]:
        """Tables of ``summarise``'s result; one titled "class" adds columns to the class table."""


@dataclass(frozen=True)
class Dataset:
    """Road scenes with labels.

    ``locate`` takes the data root and gives the dataset's own folder, or raises DataError that
    says what was looked for and where to get it. ``frames`` takes that folder and a split and
    lists its frames in a fixed order. ``read_label`` gives a frame's class map, IGNORED where no
    score counts, and raises DataError on a value that is not legal. ``sizes`` are the legal sizes
    of images where they differ; where it is empty all images have one size. A network is scored
    on ``score_split``, a folder of predictions on ``predictions_split`` or else the same.
    ``published`` is how many frames the benchmark publishes for a split. ``prepare`` is for
    datasets that make their files: it takes the folder and the frames that are about to be read and
    makes those of their files that are missing.
    """

    name: str
    summary: str
    classes: tuple[str, ...]
    palette: tuple[Color, ...]
    recipes: Mapping[str, Recipe]
    locate: Callable[[Path], Path]
    frames: Callable[[Path, str], Sequence[Frame]]
    read_label: Callable[[Frame], ClassMap]
    benchmark: Benchmark
    splits: tuple[str, ...] = ("train", "val", "test")
    score_split: str = "val"
    predictions_split: str | None = None
    sizes: tuple[Size, ...] = ()
    published: Mapping[str, int] = field(default_factory=dict)
    prepare: Callable[[Path, Sequence[Frame], Reporter], None] | None = None
    requires: tuple[str, ...] = ()


@dataclass(frozen=True)
class DescribedDataset:
    """A dataset whose classes are described beside its files.

    ``read`` takes the data root and gives the dataset, whose name is ``name``, a dash and a name
    of its own; it raises DataError where there is none, or its description is wrong.
    """

    name: str
    summary: str
    read: Callable[[Path], Dataset]
    requires: tuple[str, ...] = ()


@dataclass(frozen=True)
class Calibration:
    """Training frames that the ranges of INT8 activations are measured on.

    ``images`` are uint8 (N, H, W, 3) at the network's input size. ``held_back_images`` and
    ``held_back_labels`` (class maps of that size, or None where the network was never trained)
    are other training frames, on which ways of calibrating are compared. ``frames`` and ``source``
    ("mine train") go into the record.
    """

    source: str
    frames: tuple[str, ...]
    images: NDArray[np.uint8]
    held_back_images: NDArray[np.uint8] | None = None
    held_back_labels: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Description:
    """What an exported file says of its network.

    ``classes`` and ``palette`` (RGB) are in the order of the logits; both are empty where the
    dataset was not installed at the export. ``input`` and ``output`` say in words what the tensors
    are.
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
    gives class maps, uint8 (N, H, W). ``threads`` None leaves those of the CPU to the session:
    ``segbench.device.cpu_threads``, or what torch has.
    ``calibration`` is there for a runtime that asks for it. ``keep_float`` names the
    layers that an INT8 runtime leaves in floating point; None lets it choose by what they cost.
    ``reporter`` shows the progress of what takes long, such as calibrating.
    Only for ``Runtime.export``: ``dynamic`` leaves batch and size open, ``compute_capability``
    ("8.9") names the GPU that an engine is built for, and ``description`` is written into a file
    that can hold it.
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

    ``engine`` says what really runs, for the record, and ``details`` what else the record should
    know, as JSON values: ``file_mb`` where the engine loads a file, ``quantization`` where it is
    quantised, and ``doubts``, sentences that make its latency INVALID. The steps are apart so that
    each can be timed: ``prepare`` copies uint8 images (N, H, W, 3) to the device, ``run`` gives the
    output there, ``fetch`` copies it to the host: float32 logits (N, classes, H, W), or uint8 class
    maps (N, H, W).
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
        """Wait until the device has done all it was given."""


@dataclass(frozen=True)
class Peak:
    """The best that an engine does on a machine, for the roofline.

    ``precision`` ("INT8") names the type that it keeps values in, ``value_bytes`` its size.
    ``flop_per_s`` are operations a second, a multiply-add counting twice.
    """

    precision: str
    value_bytes: int
    flop_per_s: float


@dataclass(frozen=True)
class Runtime:
    """An engine to run networks on; ``name`` carries the precision, as in "onnx-int8".

    ``precision`` is what it computes the network in; a score in 16 bits or INT8 holds only for
    the kind of device that it was measured on, one in FP32 (or more) for all.
    ``open`` gives a Session. ``check`` raises SegbenchError where this machine cannot run it; it
    is asked before anything takes time. ``lacking`` says in a sentence, without torch, what this
    machine lacks to run it; it is asked before ``check``, but not for an export, which needs less.
    ``calibrates`` says that it wants ``Setup.calibration``. ``export`` writes what
    the engine loads to a file, where there is such a file, and gives what to say of it;
    ``export_options`` are those of "dynamic" and "compute_capability" that it heeds, and
    ``export_suffixes`` the endings that its files may have. ``fp16`` names the runtime that
    ``segbench latency`` measures beside this one, as INT8 has to be faster than FP16. ``peak``
    measures the engine's own kernels with the threads and on the device of the setup; without it
    the roofline is FP32's in PyTorch. ``loads_onnx`` says that it starts from an ONNX graph, so
    that it runs a user's ONNX file too. An entry of ``requires`` may name alternatives
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
    loads_onnx: bool = False
    precision: Arithmetic = "fp32"


@dataclass(frozen=True)
class TrackedTraining:
    """A training as a tracker learns of it when it starts or goes on.

    ``id`` is the tracker's own for the run that goes on, None for a new one. ``output`` is the
    folder of the checkpoints.
    """

    name: str
    parameters: Mapping[str, str | float]
    output: Path
    id: str | None = None


class TrackedRun(Protocol):
    """A training's run in a tracker.

    ``id`` finds it again when the training is resumed, and ``address`` tells the user where it
    is. Images are overlays by their titles. Any method may raise: the training goes on.
    """

    id: str
    address: str

    def log_epoch(
        self, epoch: int, curves: Mapping[str, float], images: Mapping[str, Image]
    ) -> None:
        """One point of each curve; ``epoch`` counts from 1."""
        ...

    def log_result(
        self, scores: Mapping[str, float], images: Mapping[str, Image], checkpoint: Path
    ) -> None:
        """What the best epoch scores, once, after the last epoch."""
        ...

    def close(self, finished: bool) -> None:
        """The end of the process's part; ``finished`` is False where it was interrupted."""
        ...


@dataclass(frozen=True)
class Tracker:
    """An experiment tracker; ``start`` opens a run, or goes on with the one that has an ``id``.

    ``check`` raises where it cannot be reached, and imports no torch; it is asked before anything
    takes time. An error of either, of any type, is shown as one sentence. ``extra`` names the
    extra of the plugin's distribution that installs what it ``requires``.
    """

    name: str
    summary: str
    start: Callable[[TrackedTraining], TrackedRun]
    check: Callable[[], object] | None = None
    requires: tuple[str, ...] = ()
    extra: str | None = None


@dataclass(frozen=True)
class Command:
    """A command of the ``segbench`` program, as ``segbench --help`` lists it.

    ``load`` imports and returns the click command of that name; it is called only for the command
    itself and its help, with the Registry as ``obj`` of click's context. ``extra`` names the extra
    of the plugin's distribution that installs what it ``requires``.
    """

    name: str
    summary: str
    load: "Callable[[], click.Command]"
    requires: tuple[str, ...] = ()
    extra: str | None = None
