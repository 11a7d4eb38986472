"""The processor: its name, and how much of it this process may use."""

import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

OWN_GROUPS = Path("/proc/self/cgroup")
MOUNT = Path("/sys/fs/cgroup")


def cpu_model() -> str:
    """The processor's model name, else its architecture."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    named = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return named[1].strip() if named else platform.processor() or platform.machine()


def usable_cores(own_groups: Path = OWN_GROUPS, mount: Path = MOUNT) -> int:
    """The number of CPUs this process may use: its affinity, or its container's quota if less."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    quota = cpu_quota(own_groups, mount)
    return cores if quota is None else max(1, min(cores, int(quota)))


def cpu_quota(own_groups: Path = OWN_GROUPS, mount: Path = MOUNT) -> float | None:
    """The CPUs this process may use by the tightest quota of its control group and its parents.

    Reads both versions of control groups. None without a quota.
    """
    quotas = [
        quota for folder in group_folders("cpu", own_groups, mount) for quota in _quotas(folder)
    ]
    return min(quotas, default=None)


def group_folders(controller: str, own_groups: Path, mount: Path) -> Iterator[Path]:
    """The folders of the control groups that limit ``controller``, "cpu" or "memory", up to the
    roots.

    Inside a container only the roots may exist.
    """
    try:
        lines = own_groups.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            roots = [mount, mount / "unified"]
        elif controller in controllers.split(","):
            roots = [mount / controllers, mount / controller]
        else:
            continue
        group = PurePosixPath(path.lstrip("/"))
        for root in roots:
            yield from (root / part for part in (group, *group.parents))


def _quotas(folder: Path) -> Iterator[float]:
    """In version 2 one file has the quota and the period, in version 1 each has its own."""
    for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        try:
            text = " ".join((folder / name).read_text(encoding="utf-8") for name in names)
            quota, period = map(int, text.split())
        except (OSError, ValueError):  # missing, or "max"
            continue
        if quota > 0:
            yield quota / period
