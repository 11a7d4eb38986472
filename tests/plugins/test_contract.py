"""Every registered plugin keeps the contract, and the contract notices one that does not."""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import torch
from torch import nn

from segbench.cli import main
from segbench.errors import DataError, MissingDeviceError, SegbenchError
from segbench.latency import peaks
from segbench.plugins import Item, Registry
from segbench.testing import (
    check_backbone,
    check_command,
    check_dataset,
    check_model_format,
    check_runtime,
    check_tracker,
)
from segbench.types import (
    Backbone,
    Command,
    Dataset,
    FileNetwork,
    InputConvention,
    ModelFile,
    ModelFormat,
    Peak,
    Runtime,
    Setup,
    Size,
    Tracker,
)
from segbench_plugins.datasets.camvid.score import CamVid
from segbench_plugins.datasets.streets import plugin as streets
from segbench_plugins.runtimes.pytorch import peak as pytorch
from segbench_plugins.runtimes.pytorch.session import TorchSession
from tests.onnx_files import nearest_color
from tests.tiny import FineEncoder, TinyEncoder, tiny_backbone, tiny_dataset, write_tiny
from tests.trackers import offline_trackers

REGISTRY = Registry.load()


@pytest.fixture(autouse=True)
def eight_streets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough frames for every split, drawn in no time."""
    monkeypatch.setattr(streets, "FRAMES", 8)


@pytest.fixture(autouse=True)
def small_peaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Peaks on the smallest of convolutions, each run as rarely as may be."""
    monkeypatch.setattr(peaks, "CONVOLUTIONS", {"cpu": (peaks.Convolution(8, 3, (4, 4)),)})
    monkeypatch.setattr(pytorch, "MATRIX", {"cpu": 16})
    monkeypatch.setattr(peaks, "SECONDS", 0.0)


def names(items: tuple[Item, ...]) -> list[str]:
    return [item.name for item in items]


def skip_unusable(item: Item) -> None:
    if problem := REGISTRY.problem(item):
        pytest.skip(problem)


def test_no_built_in_plugin_is_broken() -> None:
    errors = {plugin.name: plugin.error for plugin in REGISTRY.plugins if plugin.error}
    assert not {name: e for name, e in errors.items() if name.startswith("segbench:")}


@pytest.mark.parametrize("backbone", REGISTRY.backbones, ids=names(REGISTRY.backbones))
def test_backbone(backbone: Backbone) -> None:
    skip_unusable(backbone)
    check_backbone(backbone)


@pytest.mark.parametrize("dataset", REGISTRY.datasets, ids=names(REGISTRY.datasets))
def test_dataset(dataset: Dataset) -> None:
    skip_unusable(dataset)
    check_dataset(dataset)


@pytest.mark.parametrize("dataset", REGISTRY.datasets, ids=names(REGISTRY.datasets))
def test_dataset_on_real_files(dataset: Dataset, data_root: Path) -> None:
    skip_unusable(dataset)
    try:
        dataset.locate(data_root)
    except DataError as error:
        pytest.skip(error.message)
    check_dataset(dataset, data_root)


@pytest.mark.parametrize("runtime", REGISTRY.runtimes, ids=names(REGISTRY.runtimes))
def test_runtime(runtime: Runtime) -> None:
    skip_unusable(runtime)
    if runtime.check:
        try:
            runtime.check(Setup((64, 96)))
        except MissingDeviceError as error:
            pytest.skip(error.message)
    precision = runtime.name.removesuffix("-signed").rpartition("-")[2]
    check_runtime(runtime, {"fp16": 1e-2, "bf16": 5e-2, "int8": 0.2}.get(precision, 1e-4))


def test_model_format(tmp_path: Path) -> None:
    path = nearest_color(tmp_path / "net.onnx")
    check_model_format(REGISTRY.model_format(path), ModelFile(path, tiny_dataset()))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own, of SQLAlchemy
@pytest.mark.parametrize("tracker", REGISTRY.trackers, ids=names(REGISTRY.trackers))
def test_tracker(tracker: Tracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_unusable(tracker)
    offline_trackers(tmp_path, monkeypatch)
    check_tracker(tracker)


@pytest.mark.parametrize("command", REGISTRY.commands, ids=names(REGISTRY.commands))
def test_command(command: Command) -> None:
    skip_unusable(command)
    check_command(command)


@pytest.mark.parametrize("name", main.list_commands(click.Context(main)))
def test_the_summary_of_a_command_is_the_first_sentence_of_its_help(name: str) -> None:
    context = click.Context(main)
    command = main.get_command(context, name)
    assert command is not None
    assert command.name == name
    assert command.get_short_help_str(limit=sys.maxsize) == main.summaries(context)[name]


@pytest.mark.parametrize(
    ("load", "message"),
    [
        (lambda: print, "not a click command"),
        (lambda: click.Command("other", help="Help."), "'other'"),
        (lambda: click.Command("first"), "no help text"),
        (lambda: click.Command("first", help="Of a plugin that is not installed."), "--help fails"),
    ],
)
def test_a_faulty_command_is_noticed(load: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_command(Command("first", "The first", load))


class WrongChannels(TinyEncoder):
    channels = (8, 8, 16)


class WrongStride(TinyEncoder):
    def forward(self, images):
        tap8, tap16, _ = super().forward(images)
        return tap8, tap16, tap16


class TwoFeatures(TinyEncoder):
    def forward(self, images):
        return super().forward(images)[1:]


class DeadLayer(TinyEncoder):
    def __init__(self) -> None:
        super().__init__()
        self.classifier = nn.Linear(8, 1000)


class HiddenState(TinyEncoder):
    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.rand(())

    def forward(self, images):
        return super().forward(images * self.gain)


class NotANumber(TinyEncoder):
    def forward(self, images):
        tap8, tap16, tap32 = super().forward(images)
        return tap8, tap16, tap32 / 0


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (WrongChannels, "stride 32"),
        (WrongStride, "stride 32"),
        (TwoFeatures, "returns 2 features"),
        (DeadLayer, "'classifier.weight' gets no gradient"),
        (HiddenState, "state dict"),
        (NotANumber, "not finite"),
    ],
)
def test_a_faulty_encoder_is_noticed(encoder: type[nn.Module], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_backbone(replace(tiny_backbone(), build=lambda convention: encoder()))


def test_an_encoder_may_have_features_at_stride_4_too() -> None:
    check_backbone(replace(tiny_backbone(), build=lambda convention: FineEncoder()))


def build_unless_same(convention: InputConvention) -> nn.Module:
    return WrongStride() if convention.padding == "same" else TinyEncoder()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "Tiny Net"}, "'Tiny Net'"),
        ({"summary": ""}, "summary"),
        ({"may_start_fresh": ("fc6.",)}, "'fc6.'"),
        ({"adapt": lambda state: {}}, "adapt loses"),
        ({"build": build_unless_same}, "stride 32"),
    ],
)
def test_a_faulty_backbone_is_noticed(change: dict[str, Any], message: str) -> None:
    check_backbone(tiny_backbone())
    with pytest.raises(AssertionError, match=message):
        check_backbone(replace(tiny_backbone(), **change))


def pointwise(file: ModelFile, size: Size | None, classes: int = 11) -> FileNetwork:
    """A format of one file: "weights"."""
    if file.path.read_text() != "weights":
        raise SegbenchError(f"{file.path} does not say weights.")

    def build(_: int, convention: InputConvention) -> nn.Module:
        torch.manual_seed(0)
        return nn.Conv2d(3, classes, 1)

    return FileNetwork(name=file.path.name, summary="A file", build=build, size=size or (8, 8))


def unseeded(file: ModelFile, size: Size | None) -> FileNetwork:
    network = pointwise(file, size)
    return replace(network, build=lambda classes, convention: nn.Conv2d(3, classes, 1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "My Format"}, "'My Format'"),
        ({"suffixes": ("txt",)}, "'txt'"),
        ({"suffixes": (".net",)}, "'.txt'"),
        ({"load": partial(pointwise, classes=3)}, r"\(1, 3, 8, 8\)"),
        ({"load": unseeded}, "determine"),
    ],
)
def test_a_faulty_format_is_noticed(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    file = ModelFile(tmp_path / "a.txt", tiny_dataset())
    file.path.write_text("weights")
    good = ModelFormat("text", "Text", (".txt",), load=pointwise, runtime="eager")
    check_model_format(good, file)
    with pytest.raises(AssertionError, match=message):
        check_model_format(replace(good, **change), file)


def test_a_format_that_loads_noise_is_noticed(tmp_path: Path) -> None:
    file = ModelFile(tmp_path / "a.txt", tiny_dataset())
    file.path.write_text("weights")

    def load(each: ModelFile, size: Size | None) -> FileNetwork:
        return pointwise(replace(each, path=file.path), size)

    loose = ModelFormat("text", "Text", (".txt",), load=load, runtime="eager")
    with pytest.raises(AssertionError, match="noise"):
        check_model_format(loose, file)


class ScoresNothing(CamVid):
    def score(self, summary):
        return 0.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": ("road", "road")}, "different names"),
        ({"palette": ((0, 0, 0),)}, "one colour per class"),
        ({"palette": ((0, 0, 256),) * 11}, "levels"),
        ({"recipes": {"modern": tiny_dataset().recipes["modern"]}}, "recipes"),
        (
            {"recipes": dict.fromkeys(["modern", "original"], tiny_dataset().recipes["original"])},
            "modern",
        ),
        ({"score_split": "trial"}, "splits"),
        ({"locate": lambda root: root / "tiny"}, "locate"),
        ({"frames": lambda folder, split: tiny_dataset().frames(folder, "train")}, "in train too"),
        ({"frames": lambda folder, split: tiny_dataset().frames(folder, split) * 2}, "duplicate"),
        ({"frames": lambda folder, split: ()}, "no frame has a label"),
        ({"read_label": lambda frame: np.zeros((4, 4), np.uint8)}, "label is"),
        ({"read_label": lambda frame: np.full((32, 64), 11, np.uint8)}, "11 is neither"),
        ({"benchmark": ScoresNothing()}, "scores only 0.0"),
    ],
)
def test_a_faulty_dataset_is_noticed(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    root = None if message == "locate" else write_tiny(tmp_path)
    check_dataset(tiny_dataset(), root)
    faulty = replace(tiny_dataset(), **change)
    with pytest.raises(AssertionError, match=message):
        check_dataset(faulty, root)


class Reversed(TorchSession):
    def prepare(self, images):
        return super().prepare(images[..., ::-1].copy())


class Remembers(TorchSession):
    def prepare(self, images):
        self.first = getattr(self, "first", images)
        return super().prepare(255 - self.first)


class Halves(TorchSession):
    def __init__(self, model, setup, dtype) -> None:
        super().__init__(model, setup, dtype)
        self.model.net.score8.weight.data /= 2


class Spoils(TorchSession):
    def __init__(self, model, setup, dtype) -> None:
        super().__init__(model, setup, dtype)
        model.net.score8.weight.data /= 2


class Doubles(TorchSession):
    def fetch(self, outputs):
        return super().fetch(outputs).astype(np.float64)


@pytest.mark.parametrize(
    ("session", "message"),
    [
        (Reversed, "off eager FP32"),
        (Remembers, "off eager FP32"),
        (Halves, "off eager FP32"),
        (Spoils, "changed the model"),
        (Doubles, "float64"),
    ],
)
def test_a_faulty_session_is_noticed(session: type[TorchSession], message: str) -> None:
    runtime = Runtime("faulty", "Faulty", open=lambda model, s: session(model, s, torch.float32))
    with pytest.raises(AssertionError, match=message):
        check_runtime(runtime)


def test_a_runtime_that_takes_any_device_is_noticed() -> None:
    def on_the_cpu(model, setup):
        return TorchSession(model, replace(setup, device="cpu"), torch.float32)

    runtime = Runtime("faulty", "Faulty", open=on_the_cpu)
    with pytest.raises(AssertionError, match="no-such-device"):
        check_runtime(runtime)


@pytest.mark.parametrize("peak", [Peak("", 4, 1e9), Peak("INT8", 0, 1e9), Peak("FP32", 4, 0.0)])
def test_a_peak_that_bounds_nothing_is_noticed(peak: Peak) -> None:
    runtime = replace(REGISTRY.runtime("eager"), peak=lambda setup: peak)
    with pytest.raises(AssertionError, match="peak"):
        check_runtime(runtime)
