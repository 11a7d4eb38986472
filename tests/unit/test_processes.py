"""A process that hangs is ended; one that works, sleeps for a moment or is gone is not."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from segbench.workers.processes import kill_if_it_hangs

WORKS = "while True: pass"
WAKES = "import time\nwhile True: time.sleep(0.01)"
WAITS = "import threading; threading.Event().wait()"


@pytest.fixture
def child(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    program = "print(flush=True)\n" + request.param
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield child
        child.kill()


def looks(pid: int, count: int = 4) -> list[bool]:
    watched, found = kill_if_it_hangs(pid), []
    for _ in range(count):
        found.append(next(watched))
        time.sleep(0.3)
    return found


@pytest.mark.parametrize("child", [WAITS], indirect=True)
def test_one_that_waits_for_ever_is_killed(child: subprocess.Popen[bytes]) -> None:
    assert True in looks(child.pid, 6)
    assert child.wait(10) == -signal.SIGKILL


@pytest.mark.skipif(os.name != "posix", reason="needs SIGSTOP")
@pytest.mark.parametrize("child", [WORKS], indirect=True)
def test_one_that_was_stopped_is_killed(child: subprocess.Popen[bytes]) -> None:
    child.send_signal(signal.SIGSTOP)
    assert True in looks(child.pid, 6)
    assert child.wait(10) == -signal.SIGKILL


@pytest.mark.parametrize("child", [WORKS, WAKES], indirect=True)
def test_one_that_works_or_wakes_goes_on(child: subprocess.Popen[bytes]) -> None:
    assert looks(child.pid) == [False] * 4
    assert child.poll() is None


def test_one_that_is_gone_does_not_hang() -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    assert looks(done.pid) == [False] * 4
