"""Contract checks for each kind of plugin, to be called from a plugin's own tests.

Each check raises AssertionError with a message that says what is broken.
"""

import json
import math
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TypeVar, cast, get_args

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.testing import assert_close

from segbench.data.layouts import provide
from segbench.data.pictures import read_image
from segbench.errors import DataError, SegbenchError
from segbench.inference.networks import fcn8s_on
from segbench.networks.model import SegmentationModel
from segbench.plugins import Registry
from segbench.types import (
    IGNORED,
    Arithmetic,
    Backbone,
    Calibration,
    Command,
    Dataset,
    Encoder,
    Frame,
    ModelFile,
    ModelFormat,
    ModelOptions,
    Network,
    Recipe,
    Runtime,
    Setup,
    Size,
    TrackedTraining,
    Tracker,
)

ModuleT = TypeVar("ModuleT", bound=nn.Module)

SIZES: tuple[Size, Size] = ((64, 96), (96, 64))
ODD_SIZE: Size = (50, 70)


def check_backbone(backbone: Backbone) -> None:
    """Check an encoder: strides, channels, gradients, state dict, both paddings."""
    _check_name(backbone.name, backbone.summary)
    encoder = _seeded(lambda: backbone.build(backbone.convention), seed=1).eval()
    for height, width in SIZES:
        _check_features(encoder, torch.randn(2, 3, height, width))
    images = torch.randn(2, 3, *SIZES[0])
    state = encoder.state_dict()
    for prefix in backbone.may_start_fresh:
        assert any(key.startswith(prefix) for key in state), f"no weight starts with {prefix!r}"
    if backbone.adapt is not None:
        assert backbone.adapt(state).keys() == state.keys(), "adapt loses the encoder's own keys"
    twin = _seeded(lambda: backbone.build(backbone.convention), seed=2).eval()
    twin.load_state_dict(state)
    _check_twins(encoder, twin, images)
    _check_gradients(encoder, images)
    for padding in ("symmetric", "same"):
        convention = replace(backbone.convention, padding=padding)
        if convention != backbone.convention:
            _check_features(backbone.build(convention).eval(), images)
    model = SegmentationModel(fcn8s_on(backbone), 3).eval()
    logits = model(torch.rand(1, 3, *ODD_SIZE) * 255)
    assert logits.shape == (1, 3, *ODD_SIZE), f"FCN8s over it returns logits {tuple(logits.shape)}"


def check_network(network: Network) -> None:
    """Check a network: sizes, classes, gradients, state dict, ONNX export."""
    _check_name(network.name, network.summary)
    classes, (stride, output_stride) = 3, (network.stride, network.output_stride)
    net = _seeded(lambda: network.build(classes, network.convention), seed=1).eval()
    short, long = (-(-max(pixels, 64) // stride) * stride for pixels in (8 * stride, 12 * stride))
    for height, width in ((short, long), (long, short)):
        with torch.no_grad():
            found = tuple(net(torch.randn(2, 3, height, width)).shape)
        expected = (2, classes, height // output_stride, width // output_stride)
        assert found == expected, f"the logits are {found}, not {expected}"
    state = net.state_dict()
    part = net.get_submodule(network.pretrained_part)
    settings = {field.name for field in fields(Recipe)} - {"name"}
    unknown = network.modern.keys() - settings
    assert not unknown, f"modern changes {', '.join(sorted(unknown))}, which are not recipe fields"
    for prefix in network.may_start_random:
        assert any(key.startswith(prefix) for key in part.state_dict()), f"no weight {prefix!r}"
    for prefix in network.score_layers:
        assert any(key.startswith(prefix) for key in state), f"no weight starts with {prefix!r}"
    if network.adapt is not None:
        own = part.state_dict()
        adapted = network.adapt(own, classes)
        assert adapted.keys() == own.keys(), "adapt loses the network's own keys"
    images = torch.rand(2, 3, *ODD_SIZE) * 255
    model, twin = (_seeded(lambda: SegmentationModel(network, classes), seed=n) for n in (1, 2))
    twin.net.load_state_dict(model.net.state_dict())
    (logits,) = _check_twins(model.eval(), twin.eval(), images)
    shape = (2, classes, *ODD_SIZE)
    assert logits.shape == shape, f"images of {ODD_SIZE} have logits {tuple(logits.shape)}"
    assert logits.isfinite().all(), "the logits are not finite"
    _check_gradients(model, images)
    with tempfile.TemporaryDirectory() as folder:
        _export_onnx(twin, Path(folder) / "network.onnx", Setup(SIZES[0]))


def check_dataset(dataset: Dataset, root: Path | None = None) -> None:
    """Check a dataset's description; with a data root also its frames, labels and score."""
    _check_name(dataset.name, dataset.summary)
    classes = len(dataset.classes)
    assert classes == len(set(dataset.classes)) > 1, "classes needs two or more different names"
    assert len(dataset.palette) == classes, "palette needs one colour per class"
    levels = [level for color in dataset.palette for level in color]
    assert len(levels) == 3 * classes, "a colour must be (red, green, blue)"
    assert all(0 <= level <= 255 for level in levels), "colour levels must be 0 to 255"
    assert {"modern", "original"} <= dataset.recipes.keys(), "recipes needs 'modern' and 'original'"
    for name, recipe in dataset.recipes.items():
        assert recipe.name == name, f"the recipe under {name!r} is named {recipe.name!r}"
    assert {"train", "val", dataset.score_split} <= set(dataset.splits), (
        "splits needs train, val and the score_split"
    )
    _check_ids(dataset)
    if root is None:
        _check_missing_root(dataset)
    else:
        _check_frames(dataset, dataset.locate(root))


def check_runtime(runtime: Runtime, tolerance: float = 1e-4, device: str = "auto") -> None:
    """Check that a session has the logits of eager FP32, at any size, and keeps the model as it is.

    The same holds for a model file of each format that it loads, if the format's own runtime can
    write one. If the runtime offers a ``peak``, it is a positive number of operations per second.
    ``tolerance`` bounds the root mean square of the error over that of the reference's logits:
    reduced precision needs a larger one.
    """
    _check_name(runtime.name, runtime.summary)
    known = get_args(Arithmetic)
    assert runtime.precision in known, f"precision is {runtime.precision!r}, not one of {known}"
    model = tiny_network()
    for batch_size, (height, width) in ((2, SIZES[0]), (1, ODD_SIZE)):
        images = np.random.default_rng(0).integers(0, 256, (batch_size, height, width, 3), np.uint8)
        expected = _reference(model, images)
        setup = Setup((height, width), batch_size, device)
        if runtime.calibrates:
            setup = replace(setup, calibration=Calibration("noise", ("0",), images))
        session = runtime.open(model, setup)
        assert session.engine, "engine must name what really runs"
        for query in (images, 255 - images, images):
            outputs = session.run(session.prepare(query))
            session.synchronize()
            logits = session.fetch(outputs)
        before = logits.copy()
        session.fetch(session.run(session.prepare(255 - images)))
        assert np.array_equal(logits, before), "the next run changes the array that fetch returned"
        json.dumps(dict(session.details), allow_nan=False)
        assert logits.dtype == np.float32, f"fetch returns {logits.dtype}, not float32"
        assert logits.shape == expected.shape, f"logits are {logits.shape}, not {expected.shape}"
        error = np.sqrt(np.mean((logits - expected) ** 2) / np.mean(expected**2))
        assert error <= tolerance, f"logits are {error:.2g} off eager FP32, over {tolerance:g}"
        assert np.array_equal(_reference(model, images), expected), "open changed the model"
        labels = runtime.open(model, replace(setup, output="labels"))
        classes = labels.fetch(labels.run(labels.prepare(images)))
        assert classes.dtype == np.uint8, f"class maps are {classes.dtype}, not uint8"
        agreement = np.mean(classes == logits.argmax(1))
        assert agreement > 0.99, f"class maps agree with the logits on {agreement:.1%} of pixels"
    for model_format in Registry.load().model_formats:
        if model_format.runs_on(runtime):
            _check_model_file(model_format, runtime, setup, images, tolerance)
    if runtime.peak:
        peak = runtime.peak(Setup(SIZES[0], device=device))
        assert peak.precision, "peak must name its precision"
        assert peak.value_bytes > 0, f"peak says {peak.value_bytes} bytes per value"
        assert 0 < peak.flop_per_s < math.inf, (
            f"peak measures {peak.flop_per_s} operations per second"
        )
    try:
        runtime.open(model, replace(setup, device="no-such-device"))
    except SegbenchError:
        return
    raise AssertionError("open must raise SegbenchError for the device 'no-such-device'")


def check_model_format(model_format: ModelFormat, file: ModelFile) -> None:
    """Check that the file has deterministic logits for the classes, and that noise is rejected."""
    _check_name(model_format.name, model_format.summary)
    for suffix in model_format.suffixes:
        assert re.fullmatch(r"\.[a-z0-9]+", suffix), f"{suffix!r}: a suffix is a '.' and a-z, 0-9"
    assert file.path.suffix in model_format.suffixes, f"no suffix is {file.path.suffix!r}"
    Registry.load().runtime(model_format.runtime)
    networks = [model_format.load(file, None) for _ in range(2)]
    size, classes = networks[0].size, len(file.dataset.classes)
    models = [SegmentationModel(network, classes).eval() for network in networks]
    images = torch.rand(1, 3, *size) * 255
    with torch.no_grad():
        logits, again = (model(images) for model in models)
    shape = (1, classes, *size)
    assert logits.shape == shape, f"the logits are {tuple(logits.shape)}, not {shape}"
    assert logits.isfinite().all(), "the logits are not finite"
    assert_close(again, logits, msg="the file does not determine the logits")
    json.dumps(dict(networks[0].details), allow_nan=False)
    with tempfile.TemporaryDirectory() as folder:
        noise = Path(folder, f"noise{file.path.suffix}")
        noise.write_bytes(b"noise")
        try:
            model_format.load(replace(file, path=noise), None)
        except SegbenchError:
            return
    raise AssertionError("load must raise SegbenchError for a file of noise")


def check_tracker(tracker: Tracker) -> None:
    """Check that a run logs an epoch and a result, and resumes by id; needs a reachable tracker."""
    _check_name(tracker.name, tracker.summary)
    if tracker.check:
        tracker.check()
    image = np.zeros((*SIZES[0], 3), np.uint8)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        checkpoint = folder / "best.safetensors"
        checkpoint.write_bytes(b"weights")
        parameters: dict[str, str | float] = {"dataset": "mine", "lr": 0.1, "flip": True}
        first = tracker.start(TrackedTraining("a run", parameters, folder))
        assert isinstance(first.id, str), f"the id is {first.id!r}, not a string"
        assert isinstance(first.address, str), f"the address is {first.address!r}, not a string"
        first.log_epoch(1, {"loss/train": 2.0}, {"validation/0": image})
        first.close(finished=False)
        again = tracker.start(TrackedTraining("a run", parameters, folder, first.id))
        assert again.id == first.id, f"the run {first.id} resumes as {again.id}"
        again.log_epoch(2, {"loss/train": 1.0}, {"validation/0": image})
        again.log_result({"score": 0.5, "iou/road": 0.5}, {"overlays/first": image}, checkpoint)
        again.close(finished=True)


def check_command(command: Command) -> None:
    """Check that a command loads, and has its name and a help text for ``segbench NAME --help``.

    This runs in another process, without torch, where the plugin must be installed.
    """
    _check_name(command.name, command.summary)
    loaded = command.load()
    assert isinstance(loaded, click.Command), f"load returns {loaded!r}, not a click command"
    assert loaded.name == command.name, f"the click command's name is {loaded.name!r}"
    assert loaded.help, f"{command.name!r} has no help text: add a docstring to its function"
    program = (
        "import sys; sys.modules['torch'] = None; from segbench.cli import main; main(sys.argv[1:])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, command.name, "--help"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"segbench {command.name} --help fails: {done.stderr}"


def _check_model_file(
    model_format: ModelFormat,
    runtime: Runtime,
    setup: Setup,
    images: NDArray[np.uint8],
    tolerance: float,
) -> None:
    """A network's file, written by the format's own runtime, has the network's logits."""
    registry = Registry.load()
    writer, suffix = registry.runtime(model_format.runtime), model_format.suffixes[0]
    if writer.export is None or suffix not in writer.export_suffixes:
        return
    dataset = registry.self_made_dataset()
    model = tiny_network(len(dataset.classes))
    plain = ModelOptions((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), scale=1.0, class_order="train-ids")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"network{suffix}"
        writer.export(model, Setup(setup.size, setup.batch_size), path)
        network = model_format.load(ModelFile(path, dataset, plain), setup.size)
    loaded = SegmentationModel(network, model.classes).eval()
    session = runtime.open(loaded, replace(setup, output="logits"))
    logits = session.fetch(session.run(session.prepare(images)))
    expected = _reference(model, images)
    error = np.sqrt(np.mean((logits - expected) ** 2) / np.mean(expected**2))
    assert error <= tolerance, f"logits of a {suffix} file are {error:.2g} off, over {tolerance:g}"


def _export_onnx(model: SegmentationModel, path: Path, setup: Setup) -> None:
    """Write ``model`` with the installed runtime "onnx", which compares the two."""
    runtime = Registry.load().runtime("onnx")
    assert runtime.export, "the runtime 'onnx' must export files"
    runtime.export(model, setup, path)


def tiny_network(classes: int = 3) -> SegmentationModel:
    """A network with a few thousand seeded non-zero weights, for tests of sessions."""

    def build() -> SegmentationModel:
        backbone = Backbone("tiny", "Three convolutions", lambda convention: TinyEncoder())
        model = SegmentationModel(fcn8s_on(backbone), classes)
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.1)
        return model.eval()

    return _seeded(build, seed=0)


class TinyEncoder(nn.Module):
    """Three strided convolutions: a minimal ``Encoder``."""

    channels = (8, 16, 32)

    def __init__(self) -> None:
        super().__init__()
        self.to8 = nn.Conv2d(3, 8, 9, stride=8, padding=4)
        self.to16 = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.to32 = nn.Conv2d(16, 32, 3, stride=2, padding=1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features at strides 8, 16 and 32."""
        tap8 = self.to8(images).relu()
        tap16 = self.to16(tap8).relu()
        return tap8, tap16, self.to32(tap16).relu()


def _seeded(build: Callable[[], ModuleT], seed: int) -> ModuleT:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def _check_name(name: str, summary: str) -> None:
    assert re.fullmatch("[a-z0-9._/-]+", name), f"{name!r}: a name may have a-z, 0-9, '.', '_', '-'"
    assert re.fullmatch(".+", summary), f"{name!r}: a summary must be one line"


def _check_features(encoder: nn.Module, images: Tensor) -> None:
    batch, _, height, width = images.shape
    with torch.no_grad():
        features = encoder(images)
    assert len(features) in (3, 4), f"the encoder returns {len(features)} features, not 3 or 4"
    channels_of = cast(Encoder, encoder).channels
    strides = (4, 8, 16, 32)[-len(features) :]
    for feature, channels, stride in zip(features, channels_of, strides, strict=True):
        expected = (batch, channels, height // stride, width // stride)
        found = tuple(feature.shape)
        assert found == expected, f"stride {stride}: the feature is {found}, not {expected}"
        assert feature.isfinite().all(), f"stride {stride}: the feature is not finite"


def _check_twins(module: nn.Module, twin: nn.Module, images: Tensor) -> tuple[Tensor, ...]:
    """Both outputs for the images; ``twin`` has loaded the module's state dict."""
    with torch.no_grad():
        ours, theirs = (_outputs(each, images) for each in (module, twin))
    assert_close(theirs, ours, msg="the state dict does not determine the output")
    return ours


def _check_gradients(module: nn.Module, images: Tensor) -> None:
    outputs = _outputs(module.train(), images)
    torch.stack([output.square().mean() for output in outputs]).sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, f"{name!r} gets no gradient: nothing uses it"
        assert parameter.grad.isfinite().all(), f"the gradient of {name!r} is not finite"


def _outputs(module: nn.Module, images: Tensor) -> tuple[Tensor, ...]:
    found = module(images)
    return (found,) if isinstance(found, Tensor) else tuple(found)


def _check_ids(dataset: Dataset) -> None:
    benchmark, classes = dataset.benchmark, len(dataset.classes)
    assert benchmark.score_name, "the benchmark must name its headline figure"
    if benchmark.output == "probability":
        assert classes == 2, "a probability output needs exactly two classes"
        return
    assert len(set(benchmark.ids)) == len(benchmark.ids) == classes, "ids needs one id per class"
    assert all(0 <= value <= 255 for value in benchmark.ids), "ids must be 0 to 255"


def _check_missing_root(dataset: Dataset) -> None:
    with tempfile.TemporaryDirectory() as empty:
        try:
            folder = dataset.locate(Path(empty))
        except DataError:
            return
        assert folder.is_dir(), "locate must raise DataError for a root without the dataset"


def _check_frames(dataset: Dataset, folder: Path) -> None:
    images = {}
    for split in ("train", "val", dataset.score_split):
        frames = dataset.frames(folder, split)
        ids = [frame.id for frame in frames]
        again = [frame.id for frame in dataset.frames(folder, split)]
        assert ids == again, f"{split}: the order of the frames changes"
        assert len(set(ids)) == len(ids), f"{split}: duplicate frame ids"
        assert any(frame.label for frame in frames), f"{split}: no frame has a label"
        labelled = [frame for frame in frames if frame.label][:2]
        provide(dataset, folder, labelled)
        _check_labels(dataset, labelled)
        images[split] = {frame.image for frame in frames}
    for split in images.keys() - {"train"}:
        assert not images["train"] & images[split], f"{split}: a frame is in train too"


def _check_labels(dataset: Dataset, frames: Sequence[Frame]) -> None:
    benchmark = dataset.benchmark
    for frame in frames:
        label = dataset.read_label(frame)
        assert label.dtype == np.uint8, f"{frame.id}: the class map is {label.dtype}, not uint8"
        size = read_image(frame.image).shape[:2]
        assert label.shape == size, f"{frame.id}: the label is {label.shape}, the image {size}"
        legal = (label < len(dataset.classes)) | (label == IGNORED)
        assert legal.all(), f"{frame.id}: {label[~legal][0]} is neither a class nor IGNORED"
        counts = benchmark.count(frame, _as_prediction(dataset, label))
        classes = len(dataset.classes)
        shape = counts["confusion"].shape if "confusion" in counts else None
        assert shape == (classes, classes + 1), f"counts['confusion'] is {shape}, not (C, C + 1)"
        summary = benchmark.summarise(counts)
        json.dumps(summary, allow_nan=False)
        score = benchmark.score(summary)
        assert score is None or score > 0.999, f"{frame.id}: its own label scores only {score}"


def _as_prediction(dataset: Dataset, label: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if dataset.benchmark.output == "probability":
        return np.where(label == 1, 255, 0).astype(np.uint8)
    ids = np.full(256, dataset.benchmark.ids[0], np.uint8)
    ids[: len(dataset.classes)] = dataset.benchmark.ids
    return ids[label]


def _reference(model: SegmentationModel, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    device = next(model.parameters()).device
    with torch.no_grad():
        tensor = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float()
        logits: NDArray[np.float32] = model(tensor).float().cpu().numpy()
    return logits
