"""How much memory this process may still take."""

from pathlib import Path

import psutil

from segbench.device.cpu import MOUNT, OWN_GROUPS, group_folders


def available_memory(own_groups: Path = OWN_GROUPS, mount: Path = MOUNT) -> int:
    """In bytes: what the system can spare, or what its container's limit leaves if less.

    Both versions of control groups are read.
    """
    spare: int = psutil.virtual_memory().available
    left = (_left(folder) for folder in group_folders("memory", own_groups, mount))
    return max(0, min([spare, *(each for each in left if each is not None)]))


def _left(folder: Path) -> int | None:
    """Files in the page cache count as used, but those that are not in use make room."""
    for limit, usage in (
        ("memory.max", "memory.current"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        try:
            most, used = (
                int((folder / name).read_text(encoding="utf-8")) for name in (limit, usage)
            )
            lines = (folder / "memory.stat").read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):  # not there, or "max"
            continue
        counts = dict(line.split(maxsplit=1) for line in lines)
        return most - used + int(counts.get("total_inactive_file", counts.get("inactive_file", 0)))
    return None
