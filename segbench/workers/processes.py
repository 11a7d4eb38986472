"""Detecting worker processes that hang."""

from collections.abc import Iterator

import psutil

LOOK = 3.0
"""Seconds between checks; after two without activity a process counts as hung."""
HANGS = "it did nothing for 6 seconds and was ended"
WORKING = (psutil.STATUS_RUNNING, psutil.STATUS_DISK_SLEEP)


def kill_if_it_hangs(pid: int) -> Iterator[bool]:
    """Check the process for each item, to be taken every ``LOOK`` seconds.

    It is alive while it or a child uses the CPU, wakes up, or waits for the CPU or a disk. Yields
    True if it hung and was killed.
    """
    last, idle = -1.0, 0
    while True:
        try:
            process = psutil.Process(pid)
            family = [process, *process.children(recursive=True)]
            signs = sum(_signs(each) for each in family)
            alive = signs != last or any(each.status() in WORKING for each in family)
            last, idle = signs, 0 if alive else idle + 1
            if idle == 2:
                process.kill()
        except psutil.NoSuchProcess:
            idle = 0
        yield idle == 2


def _signs(process: psutil.Process) -> float:
    """A number that changes with any activity."""
    times, switches = process.cpu_times(), process.num_ctx_switches()
    return float(times.user + times.system + switches.voluntary)
