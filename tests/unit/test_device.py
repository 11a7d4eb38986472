"""What a device can do, and how many threads an engine gets."""

from pathlib import Path

import pytest
import torch

from segbench import device
from segbench.device import cpu_extensions, cpu_has_bfloat16, training_dtype
from segbench.errors import SegbenchError

CPU = torch.device("cpu")


@pytest.mark.parametrize(("able", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_trains_in_16_bits_where_the_cpu_computes_in_them(
    monkeypatch: pytest.MonkeyPatch, able: bool, dtype: torch.dtype
) -> None:
    monkeypatch.setattr("segbench.device.cpu_has_bfloat16", lambda: able)
    assert training_dtype("auto", CPU) == dtype
    assert training_dtype("fp32", CPU) == torch.float32


def test_torch_knows_whether_this_cpu_has_bfloat16() -> None:
    assert cpu_has_bfloat16() in (True, False)


@pytest.mark.parametrize(
    ("line", "extensions"),
    [
        ("flags\t\t: fpu sse4_2 avx avx2 fma", ("AVX2",)),
        ("flags\t\t: avx2 avx512f avx512_bf16 avx512_vnni", ("AVX2", "AVX-512", "VNNI", "BF16")),
        ("flags\t\t: avx2 avx_vnni amx_tile amx_int8", ("AVX2", "AVX-VNNI", "AMX")),
        ("Features\t: fp asimd asimddp i8mm bf16", ("DOTPROD", "I8MM", "BF16")),
        ("model name\t: a CPU", ()),
    ],
)
def test_vector_extensions_are_read_from_what_linux_lists(
    line: str, extensions: tuple[str, ...], tmp_path: Path
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\n{line}\nbugs\t\t: none\n")
    assert cpu_extensions(cpuinfo) == extensions


def test_a_system_that_lists_no_extensions_has_none_known(tmp_path: Path) -> None:
    assert cpu_extensions(tmp_path / "missing") == ()


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "usable_cores", lambda: 4)


@pytest.mark.parametrize(
    ("variable", "threads"),
    [(None, 4), ("1", 1), ("3,1", 3), ("100", 4), ("0", 4), ("many", 4), ("", 4)],
)
def test_threads_are_those_of_omp_or_all_cores(
    variable: str | None, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if variable is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", variable)
    assert device.cpu_threads() == threads


def test_threads_asked_for_count_before_omp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert device.cpu_threads(2) == 2


def test_more_threads_than_cores_and_none_are_refused() -> None:
    with pytest.raises(SegbenchError, match=r"--threads 5: .* 4 cores; give 1 to 4"):
        device.cpu_threads(5)
    with pytest.raises(SegbenchError, match=r"--threads 0: .* give 1 to 4"):
        device.cpu_threads(0)
