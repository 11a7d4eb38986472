"""A suite on the hosts of a Ray cluster: one process for each training, score and latency.

Results are written on the caller. A host works in its own folder; a training's state is sent back
after each epoch, so that another host or a later call can resume from it.
"""

import asyncio
import signal
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from segbench.errors import InterruptedRun, SegbenchError, kept, sentence
from segbench.files import check_writable, locked
from segbench.inference.checkpoint import BEST
from segbench.inference.networks import chosen_network
from segbench.inference.sources import source_file
from segbench.jobs.output import claim_output
from segbench.jobs.plan import default_output
from segbench.records.record import Record, config_hash, find_record, read_record, write_record
from segbench.types import Dataset, Network, Runtime

from .board import Board, Line
from .cluster import Cluster, LostHostError, connected
from .context import Context
from .file import Entry, Suite
from .host import OUTPUT, RESULTS, Here
from .jobs.evaluation import Evaluation
from .jobs.timing import Timing
from .jobs.training import Training
from .jobs.writing import Writing
from .reach import Hosts, Reached, absolute
from .resources import Resources
from .subject import Subject
from .travel import fetch, fetch_state, send
from .work import DONE, EXISTS, FAILED, Job, following

TRIES = 5
SECONDS_BETWEEN_NEWS = 1.0
SECONDS_BETWEEN_NEWS_OF_A_LATENCY = 60.0
"""Seconds between polls; polling costs the host time, which would affect measurements."""

Ended = tuple[str, str]
"""State and detail of a row."""


def work_on_ray(suite: Suite, context: Context, address: str, board: Board) -> None:
    """Run the jobs of a suite on the cluster at ``address``.

    Raises InterruptedRun if the user stops it, which ends the processes on the hosts.
    """
    for entry in suite.entries:
        if isinstance(entry.source, Training) and entry.source.options.trackers:
            raise SegbenchError(
                f"{entry.label}: tracker is for trainings on this machine; leave it out."
            )
    with connected(address) as cluster:
        work = _Work(suite, context, cluster, board)
        try:
            asyncio.run(_until_terminated(work))
        except (KeyboardInterrupt, asyncio.CancelledError):
            raise InterruptedRun("Interrupted.") from None


async def _until_terminated(work: "_Work") -> None:
    task = asyncio.current_task()
    assert task is not None
    with suppress(NotImplementedError):  # on Windows
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await work.hosts.check(work.suite)
    with work.board:
        await asyncio.gather(*map(work.entry, work.suite.entries))


class _Work:
    def __init__(self, suite: Suite, context: Context, cluster: Cluster, board: Board) -> None:
        self.suite, self.context, self.cluster, self.board = suite, context, cluster, board
        self.hosts = Hosts(context, cluster)
        self.data: dict[tuple[Any, ...], tuple[str, str]] = {}

    async def entry(self, entry: Entry) -> None:
        """Run the jobs of an entry; those of a kind in parallel."""
        try:
            subject = entry.source
            if isinstance(subject, Training):
                record = await self._training(entry, subject)
                if record is None:
                    return
                subject = subject.subject_of(record)
            # A report needs a score, which exists once the latencies before it are known.
            for _, jobs in groupby(following(self.suite, entry, subject, self.context), type):
                await asyncio.gather(*(self._job(entry, job) for job in list(jobs)))
        except SegbenchError as error:
            self.board.line(entry.label, "checkpoint").end(FAILED, error.message)

    async def _training(self, entry: Entry, job: Training) -> Record | None:
        """Its record; None if it failed."""
        records: list[Record] = []

        async def attempt(line: Line) -> Ended:
            record, state = await self._train(job, entry.resources["run"], line)
            records.append(record)
            return state, job.found_in(record)

        await self._row(entry, job, attempt)
        return records[0] if records else None

    async def _job(self, entry: Entry, job: Job) -> None:
        async def attempt(line: Line) -> Ended:
            if isinstance(job, Evaluation):
                return await self._evaluate(job, entry.resources["evaluate"], line)
            if isinstance(job, Timing):
                return await self._time(job, entry.resources["latency"], line)
            assert isinstance(job, Writing)
            if found := job.found(self.context):
                return EXISTS, found
            if job.options is None:
                line.host = "this one"
                return DONE, await asyncio.to_thread(job.do, self.context)
            return await self._export(job, entry.resources["evaluate"], line)

        await self._row(entry, job, attempt)

    async def _row(
        self, entry: Entry, job: Job, attempt: Callable[[Line], Awaitable[Ended]]
    ) -> None:
        """Try a job until a host has done it; an error goes to its row."""
        line = self.board.line(entry.label, job.name)
        try:
            for left in reversed(range(TRIES)):
                try:
                    line.end(*await attempt(line))
                    return
                except LostHostError as error:
                    line.host = ""
                    line.say(f"lost its host ({error})")
                    if not left:
                        raise SegbenchError(f"It lost {TRIES} hosts, the last: {error}") from error
        except InterruptedRun:
            raise
        except Exception as error:
            if not isinstance(error, SegbenchError):
                self.context.reporter.say("".join(traceback.format_exception(error)))
            line.end(FAILED, sentence(kept(error)))

    async def _train(self, job: Training, resources: Resources, line: Line) -> tuple[Record, str]:
        from segbench.training.state import STATE

        options = job.options
        async with self.hosts.reach(options, (), resources, line) as there:
            if Path(options.weights).is_file():
                await send(there, Path(options.weights), Path(options.weights).name)
            config = await there.process.call("configuration")
            self._check_data(job, config["data"], there.here)
            done = find_record(options.results, "run", config_hash(config))
            if done is not None:
                return self.context.add(done), EXISTS
            output = options.output or default_output(config)
            check_writable(output)
            with locked(output / ".lock", f"Another run writes to {output}; name another output."):
                if claim_output(output, options):
                    for name in (STATE, BEST, "train.log"):
                        if (output / name).is_file():
                            await send(there, output / name, f"{OUTPUT}/{name}")
                names = await self._follow(there, line, {}, keep_state_in=output)
                for name in sorted(names, key=lambda name: name.endswith(STATE)):
                    if name.startswith(OUTPUT):
                        await fetch(there, name, output / Path(name).relative_to(OUTPUT))
                (record,) = await self._records(there, names, once=True)
                return record, DONE

    async def _evaluate(self, job: Evaluation, resources: Resources, line: Line) -> Ended:
        if job.options.runtime.precision == "fp32" and (found := job.found(self.context)):
            return EXISTS, found
        async with self.hosts.reach(
            job.ready, self._network(job.subject), resources, line
        ) as there:
            context = self.context.on(there.here.origin, there.here.device)
            if found := job.found(context):
                return EXISTS, found
            await send(there, job.subject.file, job.subject.file.name)
            names = await self._follow(there, line, {})
            await self._records(there, names)
            return DONE, job.found(context) or ""

    async def _time(self, job: Timing, resources: Resources, line: Line) -> Ended:
        """Run only on the first able host, so that all latencies of a suite come from one host."""
        node = self.cluster.able(resources)[0]
        whole = replace(resources, cpus=node.cpus, gpus=node.gpus)
        runtimes = [self.context.registry.runtime(name) for name in job.options.runtimes]
        items: list[Network | Dataset | Runtime] = [*self._network(job.subject), *runtimes]
        async with self.hosts.reach(job.ready(()), items, whole, line, alone_on=node) as there:
            context = self.context.on(there.here.origin, there.here.device)
            if "--threads" not in job.options.argv:
                job = job.with_threads(there.here.threads)
            if found := job.found(context):
                return EXISTS, found
            await send(there, job.subject.file, job.subject.file.name)
            known, asked = job.records(context), absolute(job.ready(job.missing(context)))
            changes = {"runtimes": asked.runtimes, "protocol": asked.protocol}
            every = SECONDS_BETWEEN_NEWS_OF_A_LATENCY
            names = await self._follow(there, line, changes, seconds=every)
            return DONE, job.summary(known, await self._records(there, names))

    async def _export(self, job: Writing, resources: Resources, line: Line) -> Ended:
        assert job.options is not None
        async with self.hosts.reach(job.options, (), resources, line) as there:
            file = source_file(job.options.checkpoint)
            await send(there, file, file.name)
            names = await self._follow(there, line, {})
            for name in sorted(names, key=lambda name: Path(name).name == job.path.name):
                await fetch(there, name, job.path.parent / Path(name).relative_to(OUTPUT))
            return DONE, str(job.path)

    async def _follow(
        self,
        there: Reached,
        line: Line,
        changes: Mapping[str, Any],
        seconds: float = SECONDS_BETWEEN_NEWS,
        keep_state_in: Path | None = None,
    ) -> list[str]:
        """Run the job, show its progress, and return the files that it wrote."""
        doing = asyncio.ensure_future(there.process.call("do", changes))
        seen: Mapping[str, int] = {}
        try:
            ended = False
            while not ended:
                asking = asyncio.ensure_future(there.process.call("news", seconds))
                await asyncio.wait((doing, asking), return_when=asyncio.FIRST_COMPLETED)
                ended = doing.done()
                news = await asking
                for text in news.lines:
                    line.say(text)
                line.note = news.note or line.note
                if keep_state_in is not None and news.written != seen and not ended:
                    await fetch_state(there, keep_state_in, seen, news.written)
                    seen = news.written
            names: list[str] = await doing
            return names
        finally:
            doing.cancel()
            await asyncio.gather(doing, return_exceptions=True)

    async def _records(
        self, there: Reached, names: Sequence[str], once: bool = False
    ) -> list[Record]:
        """Keep the records among the files, with the host they were made on."""
        found = []
        with TemporaryDirectory() as folder:
            for name in names:
                if name.startswith(RESULTS) and name.endswith((".json", ".npz")):
                    await fetch(there, name, Path(folder) / name)
            for path in sorted(Path(folder).rglob("*.json")):
                record, beside = read_record(path), path.with_suffix(".npz")
                origin = {**record.provenance, "host": there.here.node}
                arrays = dict(np.load(beside)) if beside.is_file() else {}
                record = replace(record, provenance=origin)
                found.append(
                    self.context.add(write_record(record, self.suite.results, arrays, once=once))
                )
        return found

    def _check_data(self, job: Training, data: str, here: Here) -> None:
        """Raise SegbenchError if a host has other frames than the previous one."""
        options = job.options
        asked = (options.dataset.name, options.train_splits, options.limit)
        known, before = self.data.setdefault(asked, (data, here.address))
        if known != data:
            raise SegbenchError(
                f"Host {here.address} has other frames of {options.dataset.name} than {before}; "
                "put the same on both."
            )

    def _network(self, subject: Subject) -> tuple[Network]:
        return (chosen_network(self.context.registry, **subject.network),)
