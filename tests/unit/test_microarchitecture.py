"""CPUs of one name are told apart by their numbers."""

from pathlib import Path

import pytest

from segbench.device.microarchitecture import microarchitecture


def x86(vendor: str, family: int, model: int, stepping: int) -> str:
    one = (
        f"processor\t: 0\nvendor_id\t: {vendor}\ncpu family\t: {family}\nmodel\t\t: {model}\n"
        f"model name\t: AMD EPYC\nstepping\t: {stepping}\nflags\t\t: fpu avx2\npower management:\n"
    )
    return f"{one}\n{one}\n"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (x86("AuthenticAMD", 23, 1, 2), "Zen"),
        (x86("AuthenticAMD", 23, 49, 0), "Zen 2"),
        (x86("AuthenticAMD", 25, 1, 1), "Zen 3"),
        (x86("AuthenticAMD", 25, 17, 1), "Zen 4"),
        (x86("AuthenticAMD", 26, 2, 1), "Zen 5"),
        (x86("AuthenticAMD", 99, 2, 1), "family 99 model 2"),
        (x86("GenuineIntel", 6, 85, 4), "Skylake"),
        (x86("GenuineIntel", 6, 85, 7), "Cascade Lake"),
        (x86("GenuineIntel", 6, 143, 8), "Sapphire Rapids"),
        (x86("GenuineIntel", 6, 250, 1), "family 6 model 250"),
        ("processor : 0\nCPU implementer : 0x41\nCPU part : 0xd0c\n", "Neoverse N1"),
        ("processor : 0\nCPU implementer : 0x41\nCPU part : 0xfff\n", "Arm part 0xfff"),
        ("processor : 0\nisa : rv64imafdc\n", None),
        ("", None),
    ],
)
def test_the_numbers_of_a_cpu_name_its_microarchitecture(
    tmp_path: Path, text: str, name: str | None
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(text)
    assert microarchitecture(cpuinfo) == name


def test_a_system_without_cpuinfo_has_no_answer(tmp_path: Path) -> None:
    assert microarchitecture(tmp_path / "cpuinfo") is None
