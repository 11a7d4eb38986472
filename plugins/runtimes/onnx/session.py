"""An ONNX file on ONNX Runtime: on CUDA with bound device memory, else on the CPU."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segbench.device import cpu_threads, cuda_index, describe, int8_saturates, resolve_device
from segbench.errors import SegbenchError, first_line, out_of_memory
from segbench.types import Setup

if TYPE_CHECKING:
    from torch import Tensor

DISABLED_OPTIMIZERS = ["WeightBiasQuantization"]
"""It quantises float weights to 8 bits, with one scale per layer, wherever the input is quantised:
for a depthwise convolution kept in float that costs 0.4 of mIoU."""
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
ALL_ON_GPU = "session.disable_cpu_ep_fallback"


NOT_STARTED = (
    "ONNX Runtime did not start its {} and would silently use the CPU: install onnxruntime-gpu "
    "with the CUDA and cuDNN it needs, or use --device cpu."
)


def check_provider(device: str) -> None:
    """Raise SegbenchError if the installed ONNX Runtime does not support the device."""
    import onnxruntime

    provider = PROVIDERS[resolve_device(device).type]
    if provider not in onnxruntime.get_available_providers():
        raise SegbenchError(NOT_STARTED.format(provider))


def execute_as_written(options: Any) -> None:
    """Make sessions with ``options`` run Q/DQ nodes one by one, and convolutions in float.

    The output is then bit-identical to that of a session without graph optimisation.
    """
    from onnxruntime import GraphOptimizationLevel

    options.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.add_session_config_entry("session.disable_quant_qdq", "1")


class OnnxSession:
    """A graph of ``export_onnx`` at the fixed size and batch of ``setup``.

    FP32 on a CUDA GPU does not use TF32, like eager. INT8 on a CPU whose kernels may saturate uses
    ONNX Runtime's exact ones; ``exact`` executes the graph as written, on any CPU. ``precision``
    and ``details`` are for the record. Operators without a CUDA kernel run on the CPU, and
    ``engine`` says so. Raises SegbenchError if the file is damaged or the provider for the device
    did not start.
    """

    def __init__(
        self,
        path: Path,
        setup: Setup,
        precision: str,
        details: Mapping[str, Any] | None = None,
        exact: bool = False,
    ) -> None:
        import onnxruntime

        self.device = resolve_device(setup.device)
        provider = PROVIDERS[self.device.type]
        if self.device.type == "cuda" and hasattr(onnxruntime, "preload_dlls"):
            onnxruntime.preload_dlls()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # errors are also raised
        options.intra_op_num_threads = setup.threads or cpu_threads()
        kernels = ""
        if exact:
            execute_as_written(options)
        elif precision == "int8" and self.device.type == "cpu" and int8_saturates():
            options.add_session_config_entry("session.x64quantprecision", "1")
            kernels = " with x64quantprecision"
        wanted: list[Any] = [provider]
        if self.device.type == "cuda":
            wanted = [(provider, {"device_id": cuda_index(self.device), "use_tf32": 0})]
        try:
            self.session, all_there = _open(path, options, wanted)
        except Exception as error:  # ONNX Runtime has no exception of its own for a bad file
            if out_of_memory(error):
                raise
            raise SegbenchError(
                f"ONNX Runtime cannot load {path.name} ({first_line(error)}); export it again."
            ) from error
        if self.session.get_providers()[0] != provider:
            raise SegbenchError(NOT_STARTED.format(provider))
        elsewhere = "" if all_there else " with some operators on the CPU"
        self.input = self.session.get_inputs()[0].name
        self.output = self.session.get_outputs()[0].name
        self.engine = (
            f"ONNX Runtime {onnxruntime.__version__} {precision.upper()}, "
            f"{provider}{kernels}{elsewhere} on {describe(self.device)}"
        )
        self.details: Mapping[str, Any] = {
            "file_mb": round(path.stat().st_size / 1e6, 3),
            **(details or {}),
        }

    def prepare(self, images: NDArray[np.uint8]) -> "Tensor | NDArray[np.float32]":
        """Images (N, H, W, 3) as float32 (N, 3, H, W) on the device."""
        if self.device.type == "cpu":
            return np.ascontiguousarray(images.transpose(0, 3, 1, 2), dtype=np.float32)
        import torch

        from segbench.inference.tensors import to_device

        inputs = to_device(images, self.device, torch.float32)
        torch.cuda.current_stream(self.device).synchronize()  # ONNX Runtime has its own stream
        return inputs

    def run(self, inputs: Any) -> Any:
        """Logits (N, classes, H, W) or class maps (N, H, W) on the device."""
        if self.device.type == "cpu":
            return self.session.run([self.output], {self.input: inputs})[0]
        return self._run_bound(inputs)

    def fetch(self, outputs: Any) -> NDArray[Any]:
        """The output on the host."""
        host: NDArray[Any] = outputs if self.device.type == "cpu" else outputs.numpy()
        return host

    def synchronize(self) -> None:
        """Nothing to wait for: ONNX Runtime returns when the work is done."""

    def _run_bound(self, inputs: "Tensor") -> Any:
        index = cuda_index(self.device)
        binding = self.session.io_binding()
        binding.bind_input(
            self.input, "cuda", index, np.float32, tuple(inputs.shape), inputs.data_ptr()
        )
        binding.bind_output(self.output, "cuda", index)
        self.session.run_with_iobinding(binding)
        return binding.get_outputs()[0]


def _open(path: Path, options: Any, providers: list[Any]) -> tuple[Any, bool]:
    """A session, and whether all its operators run on its provider."""
    import onnxruntime

    create = partial(
        onnxruntime.InferenceSession,
        str(path),
        options,
        providers=providers,
        disabled_optimizers=DISABLED_OPTIMIZERS,
        enable_fallback=0,
    )
    if providers == [PROVIDERS["cpu"]]:
        return create(), True
    options.add_session_config_entry(ALL_ON_GPU, "1")
    try:
        return create(), True
    except Exception as error:  # ONNX Runtime has no exception of its own for this
        if "fallback to CPU EP has been explicitly disabled" not in str(error):
            raise
    options.add_session_config_entry(ALL_ON_GPU, "0")
    return create(), False
