"""Calls of the command line without the seconds that torch takes to import.

``Forks`` starts this file as a process that imports all that a command needs, and then only forks:
each call runs in a child, as the command line runs it, in a process group of its own.
"""

import gc
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Self

from segbench.plugins import Registry

ONE_THREAD = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # pyarrow's, which pandas imports
}
"""Threads that go on after a command would not be in the children."""
THREADED = ("onnxruntime", "openvino")
"""Their import starts a thread, so each child imports them, and what needs them, by itself."""
LONGEST = 600.0
"""Seconds after which an undisturbed call hangs."""
END = 10.0
"""Seconds in which every process of a call has ended after its first one has."""


@dataclass(frozen=True)
class Call:
    """A command, and after how many seconds which signal ends it; without one it runs on.

    SIGINT goes to all its processes, as a terminal sends it.
    """

    arguments: Sequence[str]
    folder: str
    signal: int | None = None
    after: float = LONGEST


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
    """A process that has imported what ``first`` needs, which one child has done, and forks.

    It and its children have their ``cache`` and their temporary files in these folders.
    """

    def __init__(self, cache: Path, scratch: Path, first: Call) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.long.forks"],
            env=os.environ | ONE_THREAD | {"SEGBENCH_CACHE": str(cache), "TMPDIR": str(scratch)},
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._ask(asdict(first))

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
            raise ChildProcessError("The process that forks has ended (see above).")
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


def serve() -> Call | None:
    """Fork a child for each call; returns in the child, with its call, and at the end."""
    first = Call(**json.loads(sys.stdin.readline()))
    installed()
    import_all(modules_of(first))
    gc.collect()
    gc.freeze()  # a collection in a child would copy all memory
    threads = len(list(Path("/proc/self/task").iterdir()))
    assert threads == 1, f"{threads} threads run after the imports of {first.arguments}"
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


def modules_of(call: Call) -> list[str]:
    """What is imported after the command; a child does it, since exports leave threads behind."""
    names = Path(call.folder, "modules.txt")
    child = os.fork()
    if child == 0:
        redirect(call)
        do(call, standalone_mode=False)
        names.write_text("\n".join(sys.modules))
        os._exit(0)
    ended = os.waitpid(child, 0)[1]
    assert ended == 0, Path(call.folder, "errors.txt").read_text("utf-8", errors="replace")
    return names.read_text().splitlines()


def import_all(names: Iterable[str]) -> None:
    """Import what can be: some modules are made by others, and those of ``THREADED`` stay away."""
    sys.modules.update(dict.fromkeys(THREADED))  # None, which makes importing them an ImportError
    for name in names:
        with suppress(ImportError):
            import_module(name)
    for name in THREADED:
        del sys.modules[name]
    if "onnxscript" in sys.modules:
        from torch.onnx._internal.exporter._registration import ONNXRegistry

        once = cache(ONNXRegistry.from_torchlib)  # half of the time of a small export
        ONNXRegistry.from_torchlib = staticmethod(once)
        once()


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
    redirect(call)
    do(call)


def redirect(call: Call) -> None:
    """Into its folder, with nothing to read, and with what it says as an error in a file there."""
    os.chdir(call.folder)
    for number, path in ((1, os.devnull), (2, "errors.txt")):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, number)
        os.close(file)


def do(call: Call, standalone_mode: bool = True) -> None:
    """The command, as the command line does it."""
    name, *arguments = call.arguments
    if name == "streets":
        from segbench_plugins.datasets.streets.__main__ import make_streets

        make_streets(arguments, standalone_mode=standalone_mode)
    else:
        from segbench.cli import main

        sys.argv = ["segbench", *call.arguments]
        main(call.arguments, "segbench", standalone_mode=standalone_mode, obj=installed())


@cache
def installed() -> Registry:
    """Reading what is installed takes most of a small command's time."""
    return Registry.load()


if __name__ == "__main__" and (mine := serve()):
    become(mine)
