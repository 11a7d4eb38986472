"""The GPU that an engine is built for, and the TensorRT that builds it.

Both packages have the same Python API. If both support the GPU, ``tensorrt`` is used: it times
kernels on the GPU, while TensorRT for RTX finishes them when an engine is loaded. Only the latter
can build for a GPU of another machine.
"""

import importlib
import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from segbench.device import resolve_device
from segbench.errors import MissingDeviceError, SegbenchError
from segbench.types import Setup

if TYPE_CHECKING:
    import torch

RTX_CAPABILITIES = ("7.5", "8.6", "8.9", "12.0", "12.1")
"""Source: NVIDIA's support matrix of TensorRT for RTX 1.7; its enum has 8.0 too."""


@dataclass(frozen=True)
class Target:
    """A compute capability ("8.9") and the module that builds for it.

    ``device`` and ``gpu`` (its name) are set if the engine will run on this machine.
    """

    trt: Any
    capability: str
    device: "torch.device | None" = None
    gpu: str | None = None

    @property
    def is_rtx(self) -> bool:
        """Whether TensorRT for RTX builds the engine."""
        return bool(self.trt.__name__ == "tensorrt_rtx")

    @property
    def title(self) -> str:
        """The engine's name and version, for a record."""
        return f"TensorRT{' for RTX' if self.is_rtx else ''} {self.trt.__version__}"


def target_to_run(setup: Setup) -> Target:
    """The GPU of ``setup.device``.

    Raises MissingDeviceError without a CUDA device, SegbenchError if no TensorRT fits the GPU.
    """
    device = resolve_device(setup.device)
    if device.type != "cuda":
        found = "--device cpu is not one" if setup.device == "cpu" else "torch finds none here"
        raise MissingDeviceError(
            f"TensorRT needs a CUDA device and {found}; "
            "`segbench export --runtime trt-int8 --compute-capability 8.9` builds an engine "
            "ahead of time."
        )
    return _on_gpu(device)


def target_to_export(setup: Setup) -> Target:
    """``setup.compute_capability``, else this machine's GPU.

    Raises MissingDeviceError if neither is known, SegbenchError if no installed TensorRT can build
    for it.
    """
    device = resolve_device(setup.device)
    here = _capability(device) if device.type == "cuda" else None
    wanted = setup.compute_capability or here
    if wanted is None:
        raise MissingDeviceError(
            "There is no CUDA device here to build an engine for; name another machine's with "
            f"--compute-capability ({', '.join(RTX_CAPABILITIES)})."
        )
    return _on_gpu(device) if wanted == here else _elsewhere(wanted)


def _on_gpu(device: "torch.device") -> Target:
    import torch

    capability = _capability(device)
    return Target(_fitting(capability), capability, device, torch.cuda.get_device_name(device))


def _elsewhere(capability: str) -> Target:
    if capability not in RTX_CAPABILITIES:
        raise SegbenchError(
            f"--compute-capability {capability!r} cannot be built for ahead of time; possible are "
            f"{', '.join(RTX_CAPABILITIES)}; for any other GPU export on its machine."
        )
    rtx = _installed("tensorrt_rtx")
    if rtx is None:
        raise SegbenchError(
            "Building an engine for a GPU of another machine needs TensorRT for RTX: "
            "pip install tensorrt-rtx-cu13"
        )
    return Target(rtx, capability)


def _capability(device: "torch.device") -> str:
    import torch

    return "{}.{}".format(*torch.cuda.get_device_capability(device))


def _fitting(capability: str) -> Any:
    """The module that runs on a GPU of ``capability``."""
    trt = _installed("tensorrt")
    if trt is not None:
        if int(trt.__version__.split(".")[0]) < 10:
            raise SegbenchError(
                f"TensorRT {trt.__version__} is too old, 10 is needed: "
                "pip install --upgrade tensorrt"
            )
        return trt
    rtx = _installed("tensorrt_rtx")
    if rtx is not None and capability in RTX_CAPABILITIES:
        return rtx
    raise SegbenchError(
        f"No installed TensorRT supports GPUs of compute capability {capability}: "
        "pip install tensorrt"
    )


def _installed(name: str) -> Any:
    """The module, or None if not installed; SegbenchError if it does not load."""
    if importlib.util.find_spec(name) is None:
        return None
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:
        raise SegbenchError(
            f"The package {name} is installed but does not load ({error}); install it again."
        ) from error
