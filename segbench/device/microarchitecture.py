"""A CPU's microarchitecture: CPUs with the same product name may compute differently."""

import re
from pathlib import Path

AMD = {
    23: (("Zen", 0, 47), ("Zen 2", 48, 79), ("Zen", 80, 95), ("Zen 2", 96, 175)),
    25: (("Zen 3", 0, 15), ("Zen 4", 16, 31), ("Zen 3", 32, 95), ("Zen 4", 96, 175)),
    26: (("Zen 5", 0, 79), ("Zen 6", 80, 95), ("Zen 5", 96, 127), ("Zen 6", 128, 239)),
}
"""Family -> names with their first and last model, as in Linux."""
INTEL = {
    "Haswell": (60, 63, 69, 70),
    "Broadwell": (61, 71, 79, 86),
    "Skylake": (78, 94),
    "Kaby Lake": (142, 158),
    "Comet Lake": (165, 166),
    "Ice Lake": (106, 108, 125, 126),
    "Tiger Lake": (140, 141),
    "Rocket Lake": (167,),
    "Alder Lake": (151, 154),
    "Raptor Lake": (183, 186, 191),
    "Sapphire Rapids": (143,),
    "Emerald Rapids": (207,),
    "Meteor Lake": (170, 172),
    "Granite Rapids": (173, 174),
}
"""Name -> models of family 6. Model 85 is distinguished by its stepping."""
ARM = {
    "0xd08": "Cortex-A72",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse N1",
    "0xd40": "Neoverse V1",
    "0xd42": "Cortex-A78AE",
    "0xd49": "Neoverse N2",
    "0xd4f": "Neoverse V2",
}
"""Part number -> name of an Arm core."""


def microarchitecture(cpuinfo: Path = Path("/proc/cpuinfo")) -> str | None:
    """Such as "Zen 3", or the CPU's numbers ("family 6 model 200") if no table lists them.

    ``cpuinfo`` is the text of /proc/cpuinfo; None if the system has none.
    """
    try:
        first = cpuinfo.read_text(encoding="utf-8").partition("\n\n")[0]
    except OSError:
        return None
    facts = dict(re.findall(r"^(\w[\w ]*?)\s*:[ \t]*(\S.*)$", first, re.MULTILINE))
    vendor = facts.get("vendor_id") or facts.get("CPU implementer")
    numbers = [facts.get(name, "") for name in ("cpu family", "model", "stepping")]
    if vendor == "0x41":
        part = facts.get("CPU part", "")
        return ARM.get(part, f"Arm part {part}")
    if not all(map(str.isdecimal, numbers)):
        return None
    family, model, stepping = map(int, numbers)
    named = None
    if vendor == "AuthenticAMD":
        named = _amd(family, model)
    elif vendor == "GenuineIntel" and family == 6:
        named = _intel(model, stepping)
    return named or f"family {family} model {model}"


def _amd(family: int, model: int) -> str | None:
    ranges = AMD.get(family, ())
    return next((name for name, first, last in ranges if first <= model <= last), None)


def _intel(model: int, stepping: int) -> str | None:
    if model == 85:
        return "Skylake" if stepping < 5 else "Cascade Lake" if stepping < 8 else "Cooper Lake"
    return next((name for name, models in INTEL.items() if model in models), None)
