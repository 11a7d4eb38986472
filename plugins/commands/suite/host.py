"""A process on a host that runs one job; the caller sends inputs and fetches the files.

Paths in options are not valid here, except that of the data: weights and checkpoints are sent to
the job's own folder, and the job's output stays there to be fetched.
"""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

from segbench.cache import cache_dir
from segbench.data.frames import fingerprint
from segbench.device import cpu_threads, resolve_device
from segbench.errors import InterruptedRun, PluginError, SegbenchError
from segbench.files import scratch_folder
from segbench.inference.checkpoint import BEST
from segbench.inference.sources import NetworkWeights
from segbench.jobs.evaluate import EvaluateOptions, evaluate_checkpoint
from segbench.jobs.experiment import read_splits
from segbench.jobs.export import ExportOptions, export
from segbench.jobs.latency import latency
from segbench.jobs.latency_options import LatencyOptions
from segbench.jobs.plan import RunOptions, configuration
from segbench.jobs.run import run
from segbench.plugins import Registry
from segbench.progress import Reporter, Step
from segbench.records.provenance import provenance

from .by_name import loaded
from .code import Code, code_of, differences

PIECE = 64 * 2**20
"""Files are sent in pieces of this many bytes, to save memory on both sides."""
OUTPUT, RESULTS = "output", "results"


@dataclass(frozen=True)
class Here:
    """A host: the ``origin`` of records made on it, and its default device and threads.

    ``node`` is Ray's random id, ``address`` the network address.
    """

    node: str
    address: str
    origin: Mapping[str, Any]
    device: str
    threads: int


@dataclass(frozen=True)
class News:
    """The lines printed since the last call, the progress, and when the state and the best
    checkpoint of a training were written, in nanoseconds.
    """

    lines: Sequence[str]
    note: str
    written: Mapping[str, int]


class Host:
    """Methods for the caller, callable from other threads while ``do`` works.

    ``environment`` is set before any import that reads it.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        os.environ.update(environment)
        self.held = ExitStack()
        self.folder = self.held.enter_context(scratch_folder(cache_dir("jobs"), "job"))
        self.has_news = threading.Event()
        self.lines: list[str] = []
        self.note = ""
        self.done = False
        self.opened: dict[str, BinaryIO] = {}

    def check(self, code: Code, data_root: Path, job: bytes) -> None:
        """Load options and items from ``dumped``; their code must be the same as the caller's.

        SegbenchError says what differs.
        """
        registry = Registry.load()
        if (root := _data_here(data_root)) is not None:
            registry = registry.at(root)
        name = "Host {1} ({0})".format(*_node())
        here = code_of((), registry)
        differ = differences({name: code[name] for name in here}, here)
        try:
            if not differ:  # only the same code can load the bytes
                (self.options, _), items = loaded(job, registry)
                differ = differences(code, code_of(items, registry))
        except PluginError as error:
            raise SegbenchError(f"{name}: {error.message}") from None
        if differ:
            raise SegbenchError(f"{name} has {differ}; install the same there.")
        self.registry = registry

    def here(self) -> Here:
        """Describe this host for the job."""
        options = self.options
        device = options.protocol.device if hasattr(options, "protocol") else options.device
        kind = resolve_device(device).type  # imports torch, needed to describe the GPU
        origin = provenance(datetime.now(UTC), (), self.registry, (), "")
        return Here(*_node(), origin, kind, cpu_threads())

    def put(self, name: str, piece: bytes, more: bool) -> None:
        """Write a file of the job's folder, or append ``more`` of it."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab" if more else "wb") as file:
            file.write(piece)

    def configuration(self) -> dict[str, Any]:
        """The configuration of a training with this host's data."""
        options = self._run_options()
        folder = options.dataset.locate(options.data_root)
        reporter = _NewsReporter(self)
        splits = read_splits(options, folder, reporter)
        prints = {
            split: fingerprint(options.dataset, frames, reporter)
            for split, frames in splits.items()
        }
        return configuration(options, prints)

    def do(self, changes: Mapping[str, Any]) -> list[str]:
        """Run the job, with ``changes`` to its options; return the files it wrote."""
        reporter = _NewsReporter(self)
        self.options = replace(self.options, **changes)
        try:
            self._do(reporter)
        finally:
            self.done = True
            self.has_news.set()
        return self._files()

    def news(self, seconds: float) -> News:
        """Return news as soon as a line is printed, or after ``seconds``."""
        self.has_news.wait(0 if self.done else seconds)
        self.has_news.clear()
        os.utime(self.folder)
        lines, self.lines = self.lines, []
        return News(lines, self.note, self._written())

    def open(self, names: Sequence[str]) -> None:
        """Open files in this order, to read their current content even if they are replaced."""
        for name in names:
            self.opened[name] = (self.folder / name).open("rb")

    def read(self, name: str) -> bytes:
        """The next piece of an opened file; empty at its end."""
        file = self.opened[name]
        if piece := file.read(PIECE):
            return piece
        self.opened.pop(name).close()
        return b""

    def close(self) -> None:
        """Remove the job's folder."""
        with suppress(OSError):
            self.held.close()

    def _do(self, reporter: Reporter) -> None:
        options, results = self.options, self.folder / RESULTS
        if isinstance(options, RunOptions):
            run(self._run_options(), self.registry, reporter)
        elif isinstance(options, LatencyOptions):
            root = _data_here(options.protocol.data_root) or options.protocol.data_root
            protocol = replace(options.protocol, data_root=root)
            outcome = latency(
                replace(options, **self._arrived(options), results=results, protocol=protocol),
                self.registry.at(root),
                reporter,
            )
            if outcome.interrupted:
                raise InterruptedRun("Interrupted.")
        else:
            root = _data_here(options.data_root) or options.data_root
            here = replace(options, **self._arrived(options), data_root=root)
            if isinstance(here, ExportOptions):
                path = self.folder / OUTPUT / here.output.name
                path.parent.mkdir()
                export(replace(here, output=path), self.registry, reporter)
            else:
                assert isinstance(here, EvaluateOptions)
                evaluate_checkpoint(replace(here, results=results), self.registry, reporter)

    def _arrived(self, options: Any) -> dict[str, Any]:
        """The options of a network, with the files that were sent."""
        given = {key: getattr(options, key, None) for key in ("checkpoint", "weights")}
        return {key: self._sent(source) for key, source in given.items() if source is not None}

    def _sent(self, source: Path | NetworkWeights) -> Path | NetworkWeights:
        if isinstance(source, NetworkWeights):
            return replace(source, weights=self.folder / source.weights.name)
        return self.folder / source.name

    def _run_options(self) -> RunOptions:
        from segbench.training.state import STATE

        options, output = self.options, self.folder / OUTPUT
        assert isinstance(options, RunOptions)
        sent = self.folder / Path(options.weights).name
        return replace(
            options,
            weights=str(sent) if sent.is_file() else options.weights,
            data_root=_data_here(options.data_root) or options.data_root,
            output=output,
            results=self.folder / RESULTS,
            resume=(output / STATE).is_file(),
        )

    def _files(self) -> list[str]:
        return [
            str(path.relative_to(self.folder))
            for folder in (OUTPUT, RESULTS)
            for path in sorted((self.folder / folder).rglob("*"))
            if path.is_file() and path.name != ".lock"
        ]

    def _written(self) -> dict[str, int]:
        from segbench.training.state import STATE

        found = {}
        for name in (STATE, BEST):
            with suppress(FileNotFoundError):
                found[name] = (self.folder / OUTPUT / name).stat().st_mtime_ns
        return found

    def say(self, line: str) -> None:
        """Store a line for the news."""
        self.lines.append(line)
        self.has_news.set()


class _NewsReporter(Reporter):
    """Reports to the caller instead of the terminal."""

    def __init__(self, host: Host, log: Path | None = None) -> None:
        super().__init__(quiet=True, log=log)
        self.host = host

    def say(self, message: str) -> None:
        super().say(message)
        self.host.say(message)

    def logging_to(self, log: Path) -> Reporter:
        return _NewsReporter(self.host, log)

    @contextmanager
    def steps(self, total: int, what: str, idle: bool = False) -> Iterator[Step]:
        done = count(1)

        def step(note: str) -> None:
            self.host.note = f"{what}: {next(done)}/{total} {note}".rstrip()

        yield step


def _node() -> tuple[str, str]:
    """Ray's id and address of this host."""
    from ray import get_runtime_context
    from ray.util import get_node_ip_address

    return get_runtime_context().get_node_id()[:12], get_node_ip_address()


def _data_here(root: Path) -> Path | None:
    """The caller's data root if it exists here, else this host's own."""
    if root.is_dir():
        return root
    own = os.environ.get("SEGBENCH_DATA")
    return Path(own) if own else None
