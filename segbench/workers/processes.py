"""Whether a process that does work for this one still does any."""

from collections.abc import Iterator

import psutil

LOOK = 3.0
"""Seconds between two looks; after two without a sign of life a process hangs."""
HANGS = "it did nothing for 6 seconds and was ended"
WORKING = (psutil.STATUS_RUNNING, psutil.STATUS_DISK_SLEEP)


def kill_if_it_hangs(pid: int) -> Iterator[bool]:
    """Look at the process for each item, which is to be asked for every ``LOOK`` seconds.

    It lives while it or a process of its own uses the CPU, wakes up, waits for its turn or for a
    disk. True where it hung and was killed.
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
    """A number that changes with every sign of life."""
    times, switches = process.cpu_times(), process.num_ctx_switches()
    return float(times.user + times.system + switches.voluntary)
