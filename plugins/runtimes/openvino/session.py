"""An ONNX file on OpenVINO's CPU plugin."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segbench.device import cpu_threads, describe, resolve_device
from segbench.errors import MissingDeviceError, SegbenchError, out_of_memory
from segbench.types import Setup


def check_device(name: str) -> None:
    """Raise MissingDeviceError unless the device is the CPU, also if "auto" is a GPU."""
    if resolve_device(name).type != "cpu":
        raise MissingDeviceError("OpenVINO runs on the CPU here; use --device cpu.")


class OpenVinoSession:
    """An ONNX graph at the fixed size and batch of ``setup``.

    FP32 is really FP32: the plugin's automatic bfloat16 is switched off. Raises SegbenchError for
    a damaged file, MissingDeviceError for devices other than the CPU.
    """

    def __init__(
        self,
        path: Path,
        setup: Setup,
        precision: str,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        import openvino
        from openvino import properties

        check_device(setup.device)
        core = openvino.Core()
        options = {
            properties.hint.inference_precision: openvino.Type.f32,
            properties.hint.performance_mode: properties.hint.PerformanceMode.LATENCY,
            properties.inference_num_threads: setup.threads or cpu_threads(),
        }
        try:
            self.compiled = core.compile_model(core.read_model(path), "CPU", options)
        except RuntimeError as error:
            if out_of_memory(error):
                raise
            first = (str(error).splitlines() or ["no reason given"])[0]
            raise SegbenchError(
                f"OpenVINO cannot load {path.name} ({first}); export it again."
            ) from error
        self.request = self.compiled.create_infer_request()
        version = openvino.get_version().split("-")[0]
        device = describe(resolve_device(setup.device))
        self.engine = f"OpenVINO {version} {precision.upper()} on {device}"
        self.details: Mapping[str, Any] = {
            "file_mb": round(path.stat().st_size / 1e6, 3),
            **(details or {}),
        }

    def prepare(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Images (N, H, W, 3) as float32 (N, 3, H, W)."""
        return np.ascontiguousarray(images.transpose(0, 3, 1, 2), dtype=np.float32)

    def run(self, inputs: NDArray[np.float32]) -> NDArray[Any]:
        """Logits (N, classes, H, W) or class maps (N, H, W), in the engine's own memory."""
        self.request.infer([inputs], share_inputs=True, share_outputs=True)
        outputs: NDArray[Any] = self.request.get_output_tensor(0).data
        return outputs

    def fetch(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """A copy of the output, which the next ``run`` does not overwrite."""
        return outputs.copy()

    def synchronize(self) -> None:
        """Nothing to wait for: ``run`` returns when the work is done."""
