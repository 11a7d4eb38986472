"""Calls of the command line without the seconds that torch takes to import.

``Forks`` starts this file as a process that imports what a command needs and then only forks: each
call runs in a child, as the command line runs it, in a process group of its own.
"""

import atexit
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

ONE_THREAD = {
    **{name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")},
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # pyarrow's, which pandas imports
}
"""A thread that an import starts would not be in the children."""
LONGEST = 600.0
"""Seconds after which an undisturbed call hangs."""
END = 10.0
"""Seconds in which every process of a call has ended after its first one has."""


@dataclass(frozen=True)
class Call:
    """A command, and after how many seconds which signal ends it; without one it runs on.

    The terminal sends SIGINT to all processes of a call. ``imported`` is a file for the names of
    the modules that it imported.
    """

    arguments: Sequence[str]
    folder: str
    signal: int | None = None
    after: float = LONGEST
    imported: str | None = None


@dataclass(frozen=True)
class Ended:
    """``code`` is negative for a signal; ``killed`` tells whether it still ran when it was sent.

    ``left`` is how long another process of the call outlived it, in seconds.
    """

    code: int
    killed: bool
    seconds: float
    left: float
    errors: str


class Forks:
    """A process that forks; ``modules`` are imported before the first call.

    Its children have their ``cache`` and their temporary files in these folders.
    """

    def __init__(self, cache: Path, scratch: Path, modules: Sequence[str] = ()) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.long.forks"],
            env=os.environ | ONE_THREAD | {"SEGBENCH_CACHE": str(cache), "TMPDIR": str(scratch)},
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._ask(list(modules))

    def call(self, call: Call) -> Ended:
        """Run it to its end."""
        return Ended(**json.loads(self._ask(asdict(call))))

    def _ask(self, question: object) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            self._process.communicate()
            raise ChildProcessError("The process that forks has ended, as said above.")
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


def serve() -> Call | None:
    """Fork a child for each call; returns in the child, with its call, and at the end."""
    for name in json.loads(sys.stdin.readline()):
        with suppress(Exception):
            importlib.import_module(name)
    threads = len(os.listdir("/proc/self/task"))
    assert threads == 1, f"{threads} threads run after the imports"
    print("ready", flush=True)
    for line in sys.stdin:
        call = Call(**json.loads(line))
        started = time.monotonic()
        child = os.fork()
        if child == 0:
            return call
        with suppress(OSError):
            os.setpgid(child, child)
        print(json.dumps(asdict(watch(child, call, started))), flush=True)
    return None


def watch(child: int, call: Call, started: float) -> Ended:
    """Wait for the child, send its signal in time, and see how all its processes end."""
    ended = os.pidfd_open(child)
    late = not select.select([ended], [], [], call.after)[0]
    if late and call.signal == signal.SIGINT:
        os.killpg(child, call.signal)
    elif late:
        os.kill(child, call.signal or signal.SIGABRT)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(ended)
    seconds = time.monotonic() - started
    while group_lives(child) and time.monotonic() - started - seconds < END:
        time.sleep(0.02)
    left = time.monotonic() - started - seconds
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    errors = Path(call.folder, "errors.txt").read_text("utf-8", errors="replace")
    return Ended(code, late, seconds, left, errors[-4000:])


def group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def become(call: Call) -> None:
    """Make this child what a shell would have started, and run its command to the end."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(call.folder)
    for number, path in enumerate((os.devnull, os.devnull, "errors.txt")):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        file = os.open(path, flags, 0o600)
        os.dup2(file, number)
        os.close(file)
    if call.imported:
        atexit.register(
            lambda path: Path(path).write_text(json.dumps([*sys.modules])), call.imported
        )
    command, *arguments = call.arguments
    if command == "streets":
        from segbench_plugins.datasets.streets.__main__ import make_streets

        make_streets(arguments)
    from segbench.cli import main

    sys.argv = ["segbench", *call.arguments]
    main(prog_name="segbench")


if __name__ == "__main__" and (mine := serve()):
    become(mine)
