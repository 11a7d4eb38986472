"""The torch device named by ``--device``, and what it can do."""

import os
import platform
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ctypes.util import find_library
from pathlib import Path
from typing import TYPE_CHECKING

from segbench.device.cpu import usable_cores
from segbench.errors import SegbenchError

if TYPE_CHECKING:
    import torch

EXTENSIONS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "VNNI",
    "avx_vnni": "AVX-VNNI",
    "avx512_bf16": "BF16",
    "amx_tile": "AMX",
    "asimddp": "DOTPROD",
    "i8mm": "I8MM",
    "bf16": "BF16",
}
"""Linux's names of the vector extensions that engines use, x86 first, then Arm -> ours."""


def resolve_device(name: str) -> "torch.device":
    """``auto`` is CUDA if available, else the CPU; raises SegbenchError for a missing device."""
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise SegbenchError(f"--device {name!r} is not a device; use auto, cpu, cuda or cuda:1.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise SegbenchError(
            f"--device {name}: this machine has {torch.cuda.device_count()} CUDA devices that "
            "torch can use; try --device cpu."
        )
    if device.index is not None and device.type == "cuda":
        torch.cuda.set_device(device)
    return device


def cuda_index(device: "torch.device") -> int:
    """The number of a CUDA device; without one, ``cuda`` is torch's current device."""
    import torch

    return torch.cuda.current_device() if device.index is None else device.index


def nvidia_driver_is_here() -> bool:
    """Whether this machine has NVIDIA's driver, without asking torch."""
    return Path("/dev/nvidiactl").exists() or any(map(find_library, ("cuda", "nvcuda")))


def cpu_extensions(cpuinfo: Path = Path("/proc/cpuinfo")) -> tuple[str, ...]:
    """The CPU's vector extensions that engines use, in the order of ``EXTENSIONS``.

    Empty if the system does not list them.
    """
    try:
        text = cpuinfo.read_text(encoding="utf-8")
    except OSError:
        return ()
    listed = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    flags = set(listed[1].split()) if listed else set()
    return tuple(name for flag, name in EXTENSIONS.items() if flag in flags)


def int8_saturates() -> bool:
    """Whether the CPU's INT8 kernels may saturate.

    x86 without VNNI, AVX-VNNI or AMX adds pairs of byte products in 16 bits. An x86 CPU with
    unknown extensions is assumed to be one.
    """
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    return x86 and {"VNNI", "AVX-VNNI", "AMX"}.isdisjoint(cpu_extensions())


def cpu_threads(asked: int | None = None) -> int:
    """The number of CPU threads for any engine.

    ``asked``, else ``OMP_NUM_THREADS`` up to the usable cores, else all usable cores. Raises
    SegbenchError if ``asked`` is less than 1 or more than the cores.
    """
    cores = usable_cores()
    if asked is None:
        omp = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
        return min(int(omp), cores) if omp.isdecimal() and int(omp) else cores
    if not 1 <= asked <= cores:
        raise SegbenchError(
            f"--threads {asked}: this process may use {cores} cores; give 1 to {cores}."
        )
    return asked


def set_threads(threads: int | None) -> None:
    """Set torch's number of CPU threads for this process; None changes nothing."""
    import torch

    if threads is not None and threads != torch.get_num_threads():
        torch.set_num_threads(threads)


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Set torch's number of CPU threads during the block."""
    import torch

    before = torch.get_num_threads()
    set_threads(threads)
    try:
        yield
    finally:
        set_threads(before)


def describe(device: "torch.device") -> str:
    """The device's name for a record: the GPU's, or the CPU architecture."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu ({platform.machine()})"


def cpu_has_bfloat16() -> bool:
    """Whether the CPU multiplies in bfloat16; torch has no public name for it."""
    import torch

    return torch.cpu._is_avx512_bf16_supported()


def bf16_is_emulated(device: str, extensions: Sequence[str]) -> bool:
    """Whether a device ("cpu", "cuda") with these ``cpu_extensions`` has no BF16 instructions.

    False for a CPU whose extensions are not listed.
    """
    return device.startswith("cpu") and bool(extensions) and "BF16" not in extensions


def slow_precision(precision: str, device: str) -> str | None:
    """A warning if this device does not support a precision well; else None."""
    extensions = cpu_extensions()
    if precision != "bf16" or not bf16_is_emulated(device, extensions):
        return None
    return (
        f"This CPU has no BF16 instructions (it has {', '.join(extensions)}), so BF16 is emulated "
        "and many times slower than FP32, which 'auto' would take here."
    )


def training_dtype(precision: str, device: "torch.device") -> "torch.dtype":
    """The autocast type of ``--precision``; ``auto`` is 16 bits if faster on the device."""
    import torch

    if precision == "auto":
        if device.type == "cuda":
            precision = (
                "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
            )
        else:
            precision = "bf16" if cpu_has_bfloat16() else "fp32"
    return {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]


def output_of(*command: str) -> str | None:
    """A command's stripped output; None if it fails or is missing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
