"""Runs a network's module on PyTorch, ONNX Runtime and OpenVINO."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from segbench_plugins.runtimes.onnx.graph import OPSET, _quiet


def seeded(model: nn.Module) -> nn.Module:
    """``model`` ready for inference, with batch norms that are not the identity."""
    generator = torch.Generator().manual_seed(0)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            assert layer.running_mean is not None
            assert layer.running_var is not None
            layer.running_mean.normal_(0, 0.1, generator=generator)
            layer.running_var.uniform_(0.5, 1.5, generator=generator)
    return model.eval()


def errors_of_engines(model: nn.Module, images: Tensor, folder: Path) -> dict[str, float]:
    """Root mean square of each engine's error over that of eager's logits."""
    import onnxruntime
    import openvino

    path = folder / "network.onnx"
    with _quiet(), torch.no_grad():
        torch.onnx.export(
            model,
            (images,),
            path,
            input_names=["images"],
            output_names=["logits"],
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    with torch.inference_mode():
        expected = model(images).numpy()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (onnx,) = session.run(None, {"images": images.numpy()})
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(path, "CPU", exact)
    vino = compiled([images.numpy()])[0]
    return {"onnx": _error(onnx, expected), "openvino": _error(vino, expected)}


def _error(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected**2)))
