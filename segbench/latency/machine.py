"""The machine during a measurement: other users, throttled clocks, memory.

NVIDIA GPUs are queried with ``nvidia-smi``; without it nothing is known and nothing is doubted.
"""

import os
import subprocess
import sys
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Self

import psutil

from segbench.device import output_of

if TYPE_CHECKING:
    import torch

LARGEST_CPU_SHARE = 0.1
SLOWDOWNS = {
    0x08: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
}
"""NVML's clock event reasons, without the power cap, which is normal for a busy GPU."""


class Watch:
    """Watches the machine during a ``with`` block that measures on ``device``.

    ``other_cpu`` is the share of the usable CPUs' time taken by other processes (None if unknown),
    ``gpu_processes`` the number of others on the GPU, ``slowdowns`` what throttled its clocks at
    any moment.
    """

    def __init__(self, device: "torch.device") -> None:
        self.gpu = gpu_name(device)
        self.other_cpu: float | None = None
        self.gpu_processes = 0
        self.slowdowns: list[str] = []

    def __enter__(self) -> Self:
        self._before = _cpu_seconds()
        self._log = TemporaryFile("w+")
        self._clocks = _log_clocks(self.gpu, self._log) if self.gpu else None
        return self

    def __exit__(self, *error: object) -> None:
        busy, own, total = (
            after - before for after, before in zip(_cpu_seconds(), self._before, strict=True)
        )
        if total > 0:
            self.other_cpu = max(0.0, busy - own) / total
        if self._clocks:
            self._clocks.terminate()
            self._clocks.wait()
            self._log.seek(0)
            self.slowdowns = slowdowns(self._log.read().split())
        self._log.close()
        if self.gpu:
            self.gpu_processes = _others(compute_processes(self.gpu))

    def doubts(self) -> list[str]:
        """Why figures measured in the block may not be reproducible."""
        doubts = []
        if self.other_cpu is not None and self.other_cpu > LARGEST_CPU_SHARE:
            doubts.append(f"other processes took {self.other_cpu:.0%} of the CPUs")
        if self.gpu_processes:
            doubts.append(f"other processes on the GPU: {self.gpu_processes}")
        doubts += [f"the GPU's clocks were throttled: {reason}" for reason in self.slowdowns]
        return doubts


def gpu_name(device: "torch.device") -> str | None:
    """The id of a CUDA device in ``nvidia-smi``; None for other devices."""
    if device.type != "cuda":
        return None
    import torch

    return f"GPU-{torch.cuda.get_device_properties(device).uuid}"


def compute_processes(gpu: str) -> dict[int, float | None]:
    """Processes that compute on the GPU, with their memory in MB if known.

    Includes this process, though a container may see it under another id.
    """
    listed = output_of(
        "nvidia-smi",
        f"--id={gpu}",
        "--query-compute-apps=pid,used_memory",
        "--format=csv,noheader,nounits",
    )
    processes: dict[int, float | None] = {}
    for line in (listed or "").splitlines():
        pid, _, memory = line.partition(",")
        if pid.strip().isdecimal():
            mebibytes = memory.strip()
            processes[int(pid)] = int(mebibytes) * 2**20 / 1e6 if mebibytes.isdecimal() else None
    return processes


def _others(processes: Collection[int]) -> int:
    """How many of them are neither this process nor those that started it and now wait."""
    if os.getpid() not in processes:  # a container may see it under another id
        return max(0, len(processes) - 1)
    waiting = {parent.pid for parent in psutil.Process().parents()}
    return len({*processes} - waiting - {os.getpid()})


def slowdowns(masks: list[str]) -> list[str]:
    """The names of the slowdowns in clock event reasons, given as "0x...", among other words."""
    seen = 0
    for mask in masks:
        with suppress(ValueError):
            seen |= int(mask, 16) if mask.startswith("0x") else 0
    return [name for bit, name in SLOWDOWNS.items() if seen & bit]


def forget_peak_memory(device: "torch.device") -> None:
    """Start the peaks below anew, on Linux and on GPUs."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    if device.type == "cuda":
        import torch

        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory_mb() -> float:
    """The peak memory of this process, in MB.

    Prefers Linux's high-water mark: ``getrusage`` starts at the parent process's memory.
    """
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    if sys.platform == "win32":
        return float(psutil.Process().memory_info().peak_wset) / 1e6
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def device_memory_mb(device: "torch.device") -> float | None:
    """The GPU memory of this process now, in MB.

    Without ``nvidia-smi`` it is the peak that torch reserved.
    """
    name = gpu_name(device)
    if name is None:
        return None
    import torch

    processes = compute_processes(name)
    known = processes.get(os.getpid())
    if known is None and len(processes) == 1:
        known = next(iter(processes.values()))
    return torch.cuda.max_memory_reserved(device) / 1e6 if known is None else known


def _cpu_seconds() -> tuple[float, float, float]:
    """Seconds of the usable CPUs: busy, used by this process, and in total."""
    times = psutil.cpu_times(percpu=True)
    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(len(times))
    here = [times[number]._asdict() for number in usable if number < len(times)]
    idle = sum(cpu["idle"] + cpu.get("iowait", 0.0) for cpu in here)
    counted = ("user", "nice", "system", "irq", "softirq", "steal")
    busy = sum(cpu.get(name, 0.0) for cpu in here for name in counted)
    return busy, time.process_time(), busy + idle


def _log_clocks(gpu: str, log: IO[str]) -> "subprocess.Popen[str] | None":
    """``nvidia-smi`` writing clock event reasons to ``log`` twice a second.

    A file, unlike a pipe that nobody reads, takes hours of them.
    """
    command = (
        "nvidia-smi",
        f"--id={gpu}",
        "--query-gpu=clocks_event_reasons.active",
        "--format=csv,noheader",
        "--loop-ms=500",
    )
    try:
        return subprocess.Popen(command, stdout=log, stderr=subprocess.DEVNULL, text=True)
    except OSError:
        return None
