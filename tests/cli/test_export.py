"""``segbench export``: what it writes, what it says of it, what it refuses."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
import torch
from click.testing import CliRunner, Result

from segbench import __version__ as version
from segbench.cli import main
from segbench.errors import SegbenchError
from segbench.inference.weights import file_sha256
from segbench.plugins import Registry
from segbench.types import Runtime
from segbench_plugins.commands.plugin import segbench_commands
from segbench_plugins.runtimes.onnx import plugin as onnx_plugin
from segbench_plugins.runtimes.onnx.metadata import read_description
from segbench_plugins.runtimes.pytorch import eager
from segbench_plugins.runtimes.tensorrt import plugin as tensorrt
from tests.commands import unless_given
from tests.tiny import CLASSES, PALETTE, tiny_backbone, tiny_dataset, write_tiny


def short_of_memory(*_: Any) -> Any:
    raise RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried 9 bytes")


def write_a_word(model: Any, setup: Any, path: Path) -> dict[str, Any]:
    path.write_text("engine")
    return {}


REGISTRY = Registry.of(
    [tiny_backbone()],
    [tiny_dataset()],
    [
        *eager.segbench_runtimes(),
        *onnx_plugin.segbench_runtimes(),
        *tensorrt.segbench_runtimes(),
        Runtime("very-large", "no memory is enough", short_of_memory, export=short_of_memory),
        Runtime(
            "runs-elsewhere",
            "runs on no machine like this",
            short_of_memory,
            lacking=lambda: "This machine lacks it.",
            export=write_a_word,
            export_suffixes=(".engine",),
        ),
    ],
    commands=segbench_commands(),
)


def segbench(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, obj=REGISTRY)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with a tiny network that was trained on it for one epoch."""
    root = write_tiny(tmp_path_factory.mktemp("data"))
    options = ("--backbone", "tiny", "--dataset", "tiny", "--weights", "none", "--epochs", "1")
    places = ("--data-root", str(root), "--output", str(root), "--results", str(root / "results"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGBENCH_CACHE", str(root / "cache"))
        result = segbench("run", *options, *places)
    assert result.exit_code == 0, result.output
    return root


def export(trained: Path, tmp_path: Path, *options: str) -> Result:
    places = {
        "--checkpoint": trained / "best.safetensors",
        "--data-root": trained,
        "--output": tmp_path / "out" / "a.onnx",
    }
    return segbench("export", *unless_given(places, options), *options)


def test_it_writes_the_graph_and_says_its_size(trained: Path, tmp_path: Path) -> None:
    result = export(trained, tmp_path, "--size", "40x72", "--batch-size", "2")
    assert result.exit_code == 0, result.output
    assert "MB in FP32" in result.output
    last = result.output.splitlines()[-1]
    assert "images, float32 (2, 3, 40, 72), RGB in 0..255" in last
    assert "logits, float32 (2, 11, 40, 72)" in last
    assert last.endswith("matches eager FP32.")
    shape = onnx.load(tmp_path / "out/a.onnx").graph.input[0].type.tensor_type.shape
    assert [axis.dim_value for axis in shape.dim] == [2, 3, 40, 72]


def test_a_file_is_written_on_a_machine_that_cannot_run_it(trained: Path, tmp_path: Path) -> None:
    result = segbench(
        "evaluate",
        "--checkpoint",
        str(trained),
        "--dataset",
        "tiny",
        "--data-root",
        str(trained),
        "--runtime",
        "runs-elsewhere",
    )
    assert result.output == "Error: This machine lacks it.\n"
    path = tmp_path / "a.engine"
    result = export(trained, tmp_path, "--runtime", "runs-elsewhere", "--output", str(path))
    assert result.exit_code == 0, result.output
    assert path.read_text() == "engine"


def test_an_engine_for_this_machine_needs_what_it_runs_on(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensorrt, "nvidia_driver_is_here", lambda: False)
    output = ("--runtime", "trt-fp16", "--output", str(tmp_path / "a.engine"))
    result = export(trained, tmp_path, *output)
    assert result.exit_code == 1
    assert "this machine has no driver" in result.output


def test_an_int8_file_is_calibrated_and_gives_labels(trained: Path, tmp_path: Path) -> None:
    result = export(trained, tmp_path, "--runtime", "onnx-int8", "--output-kind", "labels")
    assert result.exit_code == 0, result.output
    graph = onnx.load(tmp_path / "out/a.onnx").graph
    assert {"QuantizeLinear", "ArgMax"} <= {node.op_type for node in graph.node}
    assert graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert result.output.endswith("% of pixels.\n")
    assert read_description(tmp_path / "out/a.onnx").output.startswith("labels, uint8 (1, 32, 64)")


@pytest.mark.parametrize(("device", "signed"), [("cpu", False), ("auto", True)])
def test_an_int8_file_is_for_the_device_named_not_the_one_that_writes_it(
    device: str, signed: bool, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_a_gpu(name: str) -> torch.device:
        return torch.device("cuda" if name == "auto" else name)

    monkeypatch.setattr("segbench.device.resolve_device", with_a_gpu)
    result = export(trained, tmp_path, "--runtime", "onnx-int8", "--device", device)
    assert result.exit_code == 0, result.output
    graph = onnx.load(tmp_path / "out/a.onnx").graph
    kinds = {each.name: each.data_type for each in graph.initializer}
    zeros = {kinds[node.input[2]] for node in graph.node if node.op_type == "QuantizeLinear"}
    assert zeros == {onnx.TensorProto.INT8 if signed else onnx.TensorProto.UINT8}


def test_the_file_describes_itself(trained: Path, tmp_path: Path) -> None:
    result = export(trained, tmp_path, "--dynamic", "--checkpoint", str(trained))
    assert result.exit_code == 0, result.output
    path = tmp_path / "out/a.onnx"
    description = read_description(path)
    assert description.segbench_version == version
    assert (description.dataset, description.classes) == ("tiny", CLASSES)
    assert description.palette == PALETTE
    assert description.checkpoint_sha256 == file_sha256(trained / "best.safetensors")
    assert description.input == "images, float32 (batch, 3, height, width), RGB in 0..255"
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert json.loads(session.get_modelmeta().custom_metadata_map["classes"]) == list(CLASSES)


def test_what_describes_nothing_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_text("none")
    with pytest.raises(SegbenchError, match="has no segbench description"):
        read_description(tmp_path / "a.onnx")


def test_a_checkpoint_of_other_classes_than_the_dataset_now_has_is_refused(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fewer = replace(tiny_dataset(), classes=tiny_dataset().classes[:9])
    monkeypatch.setattr(REGISTRY.__class__, "dataset", lambda self, name: fewer)
    result = export(trained, tmp_path, "--runtime", "onnx")
    assert result.exit_code == 1
    assert "trained on 'tiny' with 11 classes, but 'tiny' has 9" in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--runtime", "eager"), "cannot be exported; exportable runtimes: onnx,"),
        (("--runtime", "onxx"), "Did you mean 'onnx'?"),
        (("--checkpoint", "."), "There is no file best.safetensors"),
        (("--checkpoint", "none.safetensors"), "give --checkpoint one that exists"),
        (("--size", "0x64"), "is empty"),
        (("--runtime", "onnx-int8", "--dynamic"), "leave --dynamic out"),
        (("--runtime", "trt-fp32", "--dynamic"), "leave --dynamic out"),
        (("--compute-capability", "8.9"), "leave --compute-capability out"),
        (("--calibration-frames", "8"), "--calibration-frames needs an INT8 runtime"),
        (
            ("--runtime", "very-large", "--size", "96x64", "--batch-size", "2"),
            "Out of memory with a batch of 2 at 96x64",
        ),
        (("--keep-float", "encoder.to8"), "--keep-float needs an INT8"),
        (("--output", "m.txt"), "name it m.onnx"),
        (("--runtime", "trt-fp16"), "a.engine"),
    ],
)
def test_what_cannot_be_exported_is_one_sentence(
    trained: Path, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    result = export(trained, tmp_path, *options)
    assert result.exit_code in (1, 2)
    assert message in result.output
    assert not list((tmp_path / "out").rglob("*"))
