"""``--model net.onnx`` and ``--network --weights`` in every command that runs a network."""

from pathlib import Path
from typing import Any

import PIL.Image
import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import save_file
from torch import nn

from segbench.cli import main
from segbench.jobs import evaluate
from segbench.plugins import Registry
from segbench.records.record import Record, read_record
from segbench.types import InputConvention, Network, Setup
from segbench_plugins.commands.plugin import segbench_commands
from segbench_plugins.runtimes.onnx import plugin as onnx_runtimes
from segbench_plugins.runtimes.onnx.file import mistakes as file_mistakes
from segbench_plugins.runtimes.onnx.metadata import read_description
from segbench_plugins.runtimes.pytorch.eager import segbench_runtimes
from tests.onnx_files import nearest_color
from tests.tiny import CLASSES, draw, tiny_dataset, write_tiny


def pointwise(classes: int, convention: InputConvention) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, classes, 1))


REGISTRY = Registry.of(
    datasets=[tiny_dataset()],
    runtimes=[*segbench_runtimes(), *onnx_runtimes.segbench_runtimes()],
    networks=[Network(name="pointwise", summary="Two convolutions", build=pointwise)],
    commands=[*segbench_commands(), *onnx_runtimes.segbench_commands()],
    model_formats=onnx_runtimes.segbench_model_formats(),
)
MODEL = ("--model", "net.onnx", "--scale", "1/255", "--dataset", "tiny")
UNSCALED = ("--model", "net.onnx", "--scale", "1", "--dataset", "tiny")
WEIGHTS = ("--network", "pointwise", "--weights", "w.safetensors", "--dataset", "tiny")


def segbench(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, obj=REGISTRY)


def record(kind: str) -> Record:
    (path,) = Path("results", kind).glob("*.json")
    return read_record(path)


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the working folder: data, an ONNX file that knows its colours, and random weights."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGBENCH_DATA", raising=False)
    write_tiny(tmp_path / "data", noise=1)
    nearest_color(tmp_path / "net.onnx")
    torch.manual_seed(0)
    save_file(pointwise(len(CLASSES), InputConvention()).state_dict(), tmp_path / "w.safetensors")


def test_a_file_is_scored_on_the_runtime_that_loads_it() -> None:
    result = segbench("evaluate", *MODEL)
    assert result.exit_code == 0, result.output
    made = record("evaluate")
    assert made.metrics["miou"] > 0.95
    assert (made.config["runtime"], made.config["network"]) == ("onnx", "net.onnx")
    assert made.config["weights"].startswith("net.onnx@")
    assert made.config["checkpoint_sha256"]
    assert set(made.provenance["plugins"]) == {"tiny", "onnx"}


def test_a_low_score_names_the_mistake() -> None:
    result = segbench("evaluate", *UNSCALED)
    assert result.exit_code == 0, result.output
    assert "--scale 1/255" in result.output


def test_an_interrupt_of_the_search_for_mistakes_keeps_the_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stopped(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(file_mistakes, "likely_mistakes", stopped)
    assert segbench("evaluate", *UNSCALED).exit_code == 1
    assert record("evaluate").metrics["miou"] < 0.3


def test_mistakes_are_searched_on_the_device_of_the_score(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = []

    def setup(*size: Any, device: str = "auto") -> Setup:
        devices.append(device)
        return Setup(*size, device=device)

    monkeypatch.setattr(evaluate, "Setup", setup)
    options = ("--device", "cpu", "--limit", "1")
    result = segbench("evaluate", *UNSCALED, *options)
    assert result.exit_code == 0, result.output
    assert "scores low: on 1 frame its mIoU is" in result.output
    assert set(devices) == {"cpu"}


def test_an_int8_runtime_calibrates_it() -> None:
    result = segbench("evaluate", *MODEL, "--runtime", "onnx-int8")
    assert result.exit_code == 0, result.output
    assert record("evaluate").metrics["miou"] > 0.8


def test_latency_compares_it_with_itself_in_fp32() -> None:
    result = segbench("latency", *MODEL, "--min-seconds", "0.01")
    assert result.exit_code == 0, result.output
    made = record("latency")
    assert (made.config["runtime"], made.config["network"]) == ("onnx", "net.onnx")
    assert made.metrics["agreement"] == 1.0
    assert made.metrics["gflop"] > 0


@pytest.mark.parametrize("network", [MODEL, WEIGHTS])
def test_it_is_drawn_exported_and_quantised(network: tuple[str, ...]) -> None:
    image = draw(0).image
    PIL.Image.fromarray(image).save("street.png")
    result = segbench("predict", "street.png", *network, "--output", "drawn", "--as", "color")
    assert result.exit_code == 0, result.output
    assert Path("drawn/street.png").is_file()
    result = segbench("export", *network, "--output", "out.onnx")
    assert result.exit_code == 0, result.output
    assert read_description(Path("out.onnx")).classes == CLASSES
    result = segbench("quantize-report", *network, "--output", "report")
    assert result.exit_code == 0, result.output
    assert Path("report/report.json").is_file()


def test_an_exported_file_says_all_that_it_takes() -> None:
    assert segbench("export", *MODEL, "--output", "again.onnx").exit_code == 0
    result = segbench("evaluate", "--model", "again.onnx", "--dataset", "tiny")
    assert result.exit_code == 0, result.output
    assert "assumed" not in result.output
    assert record("evaluate").metrics["miou"] > 0.95


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("evaluate", "--dataset", "tiny"), 2),
        (("evaluate", "--model", "net.onnx", "--checkpoint", "c", "--dataset", "tiny"), 2),
        (("evaluate", "--network", "pointwise", "--dataset", "tiny"), 2),
        (("evaluate", "--checkpoint", "c", "--mean", "0", "--dataset", "tiny"), 2),
        (("evaluate", *MODEL, "--mean", "1,2"), 2),
        (("evaluate", *MODEL[:2], "--scale", "0", "--dataset", "tiny"), 2),
        (("predict", "a.png", "--model", "net.onnx", "--output", "o"), 2),
        (("latency", "--model", "net.onnx"), 2),
        (("latency", *MODEL, "--network", "pointwise"), 2),
        (("evaluate", *MODEL, "--std", "1e400"), 2),
        (("export", *MODEL, "--output", "net.onnx"), 1),
        (("evaluate", *MODEL, "--runtime", "eager"), 1),
        (("latency", *MODEL, "--runtime", "eager"), 1),
        (("export", *MODEL, "--output", "out.onnx", "--dynamic"), 1),
        (("evaluate", "--model", "missing.onnx", "--dataset", "tiny"), 1),
        (("evaluate", "--model", "net.tflite", "--dataset", "tiny"), 1),
        (("latency", "--model", "net", "--dataset", "tiny"), 1),
    ],
)
def test_what_does_not_go_together_is_refused(arguments: tuple[str, ...], code: int) -> None:
    result = segbench(*arguments)
    assert result.exit_code == code, result.output
    assert not isinstance(result.exception, AssertionError | AttributeError | TypeError)
    assert len(result.output.splitlines()[-1].split(". ")) == 1


@pytest.mark.parametrize("command", ["evaluate", "latency", "export"])
def test_a_file_of_no_known_format_is_refused_with_the_known_endings(command: str) -> None:
    output = ("--output", "out.onnx") if command == "export" else ()
    result = segbench(command, "--model", "net.tflite", "--dataset", "tiny", *output)
    assert result.exit_code == 1
    assert result.output.endswith(
        "net.tflite is not in a known model format; known endings: .onnx.\n"
    )


def test_a_runtime_that_loads_no_such_file_names_those_that_do() -> None:
    result = segbench("evaluate", *MODEL, "--runtime", "eager")
    able = ", ".join(each.name for each in onnx_runtimes.segbench_runtimes())
    assert f"'eager' cannot run .onnx files; these can: {able}." in result.output
