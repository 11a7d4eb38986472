"""Engines of both backbones from the real builder of TensorRT for RTX, which needs no card."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from segbench.errors import SegbenchError
from segbench.inference.networks import fcn8s_on, random_network
from segbench.plugins import Registry
from segbench.testing import tiny_network
from segbench.types import Calibration, Setup
from segbench_plugins.runtimes.onnx.int8.network import quantize_onnx
from segbench_plugins.runtimes.tensorrt.build import build_engine
from segbench_plugins.runtimes.tensorrt.graph import onnx_graph
from segbench_plugins.runtimes.tensorrt.plugin import segbench_runtimes
from segbench_plugins.runtimes.tensorrt.target import RTX_CAPABILITIES, target_to_export

pytest.importorskip("tensorrt_rtx", reason="needs pip install tensorrt-rtx-cu13")

SIZE = (64, 96)
DECODER = {"score8", "score16", "score32", "up32", "up16"}
RUNTIMES = {runtime.name: runtime for runtime in segbench_runtimes()}


def setup(**changes: Any) -> Setup:
    images = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), np.uint8)
    calibration = Calibration("noise", ("0", "1"), images)
    options = {"device": "cpu", "calibration": calibration, "compute_capability": "8.9"}
    return Setup(SIZE, **{**options, **changes})


def export(runtime: str, backbone: str, path: Path, **changes: Any) -> dict[str, Any]:
    model = random_network(fcn8s_on(Registry.load().backbone(backbone)), Registry.load()).model
    write = RUNTIMES[runtime].export
    assert write is not None
    return dict(write(model, setup(**changes), path))


BACKBONES = [
    "mobilenet",
    pytest.param("vgg16", marks=[pytest.mark.slow, pytest.mark.timeout(1800)]),
]


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_convolution_of_the_encoder_is_int8(backbone: str, tmp_path: Path) -> None:
    path = tmp_path / "fcn8s.engine"
    details = export("trt-int8", backbone, path, output="labels")
    encoder = details["int8_layers"]
    assert encoder
    assert all(name.startswith("encoder.") for name in encoder)
    assert set(details["float_layers"]) == DECODER
    assert encoder == details["quantization"]["layers"], "nothing fell back"
    assert details["compute_capability"] == "8.9"
    assert details["built_by"].startswith("TensorRT for RTX 1.")
    assert path.stat().st_size == pytest.approx(1e6 * details["file_mb"], abs=1e3)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_convolution_is_in_half(backbone: str) -> None:
    model = random_network(fcn8s_on(Registry.load().backbone(backbone)), Registry.load()).model
    graph, _ = onnx_graph(model, "fp16", setup())
    types = build_engine(target_to_export(setup()), graph).types
    assert set(types) > DECODER
    assert set(types.values()) == {"half"}


def test_a_layer_kept_in_float_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "fcn8s.engine"
    write = RUNTIMES["trt-int8"].export
    assert write is not None
    details = write(tiny_network(), setup(keep_float=("encoder.to16",)), path)
    assert details["int8_layers"] == ["encoder.to8", "encoder.to32"]
    assert set(details["float_layers"]) == DECODER | {"encoder.to16"}


@pytest.mark.parametrize("output", ["logits", "labels"])
def test_each_output_can_be_built_for_each_capability(output: Any) -> None:
    graph, _ = onnx_graph(tiny_network(), "fp32", setup(output=output))
    for capability in RTX_CAPABILITIES:
        engine = build_engine(target_to_export(setup(compute_capability=capability)), graph)
        assert engine.plan
        assert set(engine.types.values()) == {"float"}


def test_labels_become_bytes_by_way_of_floats() -> None:
    """The only cast to uint8 that TensorRT's documentation allows."""
    graph = onnx.load_from_string(onnx_graph(tiny_network(), "fp32", setup(output="labels"))[0])
    onnx.checker.check_model(graph)
    casts = [node for node in graph.graph.node if node.op_type == "Cast"][-2:]
    types = [cast.attribute[0].i for cast in casts]
    assert types == [onnx.TensorProto.FLOAT, onnx.TensorProto.UINT8]
    assert list(casts[1].input) == list(casts[0].output)


@pytest.mark.parametrize("onnx_bytes", [b"", b"no graph"])
def test_a_damaged_graph_is_one_sentence(onnx_bytes: bytes) -> None:
    with pytest.raises(SegbenchError, match="cannot read the ONNX graph"):
        build_engine(target_to_export(setup()), onnx_bytes)


def test_what_the_real_parser_refuses_is_named(tmp_path: Path) -> None:
    path = tmp_path / "fcn8s.onnx"
    quantize_onnx(tiny_network(), path, setup(), "signed")
    graph = onnx.load(path)
    next(n for n in graph.graph.node if n.name == "encoder.to16").op_type = "NoSuchOperator"
    with pytest.raises(SegbenchError, match=r"\(NoSuchOperator encoder\.to16: "):
        build_engine(target_to_export(setup()), graph.SerializeToString())
