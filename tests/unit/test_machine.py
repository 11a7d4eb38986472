"""Who else uses the machine, told by a clockwork of CPU times and a stand-in for nvidia-smi."""

import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from segbench.latency import machine
from segbench.latency.machine import (
    Watch,
    compute_processes,
    forget_peak_memory,
    peak_memory_mb,
    slowdowns,
)

CPU = torch.device("cpu")
SMI = """#!{python}
import sys, time
if any("compute-apps" in argument for argument in sys.argv):
    print("{processes}")
else:
    print("{mask}", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """``nvidia-smi`` that lists ``processes`` and ``mask``, for a device that says it is a GPU."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(machine, "gpu_name", lambda device: "GPU-1")

    def says(processes: str, mask: str = "0x0000000000000000") -> None:
        tool = tmp_path / "nvidia-smi"
        tool.write_text(SMI.format(python=sys.executable, processes=processes, mask=mask))
        tool.chmod(0o755)

    return SimpleNamespace(says=says)


@pytest.mark.parametrize(
    ("busy", "own", "total", "share", "doubts"),
    [
        (8.0, 7.5, 20.0, 0.025, []),
        (10.0, 7.0, 20.0, 0.15, ["other processes took 15% of the CPUs"]),
        (1.0, 1.1, 20.0, 0.0, []),
        (0.0, 1.0, 0.0, None, []),
    ],
)
def test_what_others_take_of_the_cpus(
    busy: float,
    own: float,
    total: float,
    share: float | None,
    doubts: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = iter([(100.0, 10.0, 300.0), (100 + busy, 10 + own, 300 + total)])
    monkeypatch.setattr(machine, "_cpu_seconds", lambda: next(seconds))
    with Watch(CPU) as watch:
        pass
    assert watch.other_cpu == (None if share is None else pytest.approx(share))
    assert watch.doubts() == doubts


def test_this_process_is_not_another_one() -> None:
    with Watch(CPU) as watch:
        sum(range(3_000_000))
    assert watch.other_cpu is None or 0 <= watch.other_cpu <= 1


def test_another_process_on_the_gpu_and_slow_clocks_are_doubts(smi: SimpleNamespace) -> None:
    smi.says(f"{os.getpid()}, 500\\n77, [N/A]", "0x0000000000000044")
    with Watch(CPU) as watch:
        wait_for_the_log(watch)
    assert watch.gpu_processes == 1
    assert watch.doubts()[-2:] == [
        "other processes on the GPU: 1",
        "the GPU's clocks were throttled: hardware thermal slowdown",
    ]


def test_the_process_that_waits_for_this_one_is_no_other(smi: SimpleNamespace) -> None:
    smi.says(f"{os.getpid()}, 500\\n{os.getppid()}, 900", "0x0000000000000004")
    with Watch(CPU) as watch:
        wait_for_the_log(watch)
    assert watch.gpu_processes == 0


def test_alone_on_a_gpu_at_its_power_cap_is_no_doubt(smi: SimpleNamespace) -> None:
    smi.says("4711, 100", "0x0000000000000004")
    with Watch(CPU) as watch:
        wait_for_the_log(watch)
    assert (watch.gpu_processes, watch.slowdowns) == (0, [])


def wait_for_the_log(watch: Watch, size: int = 0) -> None:
    while os.fstat(watch._log.fileno()).st_size <= size:
        time.sleep(0.01)


def test_memory_of_processes_is_in_megabytes(smi: SimpleNamespace) -> None:
    smi.says("12, 1000\\n13, [N/A]\\nnonsense")
    assert compute_processes("GPU-1") == {12: 1048.576, 13: None}


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux starts it anew")
def test_the_peak_of_earlier_work_can_be_forgotten() -> None:
    np.ones(30_000_000)  # 240 MB
    before = peak_memory_mb()
    forget_peak_memory(CPU)
    assert peak_memory_mb() < before - 150


def test_device_memory_is_this_processs_own(
    smi: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: 7e6)
    smi.says(f"{os.getpid()}, 100\\n77, 900")
    assert machine.device_memory_mb(CPU) == 104.8576
    smi.says("77, 100")
    assert machine.device_memory_mb(CPU) == 104.8576
    smi.says("")
    assert machine.device_memory_mb(CPU) == 7


def test_without_a_gpu_nothing_is_known_of_it() -> None:
    assert machine.gpu_name(CPU) is None
    assert machine.device_memory_mb(CPU) is None


@pytest.mark.parametrize(
    ("masks", "names"),
    [
        ([], []),
        (["0x1", "[N/A]"], []),
        (["Field", '"clocks_event_reasons.active"', "is", "not", "a", "valid", "field"], []),
        (["0x8", "0x20", "0x8"], ["hardware slowdown", "software thermal slowdown"]),
    ],
)
def test_slowdowns_of_any_moment_count(masks: list[str], names: list[str]) -> None:
    assert slowdowns(masks) == names


def test_the_log_of_the_clocks_may_be_longer_than_a_pipe_holds(smi: SimpleNamespace) -> None:
    smi.says("4711, 100", "0x0000000000000000\\n" * 9000 + "0x8")
    with Watch(CPU) as watch:
        wait_for_the_log(watch, size=9000 * 19)
    assert watch.slowdowns == ["hardware slowdown"]


def test_peak_memory_grows_with_what_is_held() -> None:
    before = peak_memory_mb()
    held = bytearray(200_000_000)
    held[::4096] = bytes([1]) * len(held[::4096])
    assert before > 10
    assert peak_memory_mb() >= min(before, 200)
