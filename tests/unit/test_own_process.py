"""Work in a process of its own: an interrupt waits until that process can answer it."""

import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = """
from segbench.workers.own_process import in_own_process
from tests.unit.test_own_process import Blocked, same

if __name__ == "__main__":
    print(in_own_process(same, Blocked(), "A process", "no images"))
"""


class Blocked:
    """Where it is read, in a process that has just begun: whether interrupts wait."""

    def __reduce__(self) -> tuple[object, tuple[()]]:
        return interrupts_wait, ()


def interrupts_wait() -> bool:
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def same(asked: object) -> object:
    return asked


def test_interrupts_wait_while_the_first_process_starts(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, program],
        env={"PYTHONPATH": f"{ROOT}"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "True\n", done.stderr
