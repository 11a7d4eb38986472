"""A process on a host of the cluster, once it is known to have the caller's code."""

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from segbench.errors import SegbenchError
from segbench.jobs.latency_options import LatencyOptions
from segbench.types import Dataset, Network, Runtime

from .board import Line
from .by_name import dumped, loaded
from .cluster import Cluster, LostHostError, Node, Process
from .code import code_of
from .context import Context
from .file import Suite
from .host import Here, Host
from .jobs.training import Training
from .resources import Resources


@dataclass(frozen=True)
class Reached:
    """A process on a host with the options of a job."""

    process: Process
    here: Here


class Hosts:
    """The hosts of a cluster, for the jobs of a suite."""

    def __init__(self, context: Context, cluster: Cluster) -> None:
        self.context, self.cluster = context, cluster
        self.environment = {name: os.environ[name] for name in context.unset}

    async def check(self, suite: Suite) -> None:
        """Raise SegbenchError for all hosts that may run a job and whose code differs."""
        items: dict[Path, list[Network | Dataset | Runtime]] = defaultdict(list)
        for entry in suite.entries:
            for scored, _ in entry.evaluations:
                items[scored.data_root] += [scored.dataset, scored.runtime]
            for timed, _ in entry.latencies:
                runtimes = map(self.context.registry.runtime, timed.runtimes)
                items[timed.protocol.data_root] += runtimes
            if isinstance(entry.source, Training):
                trained = entry.source.options
                items[trained.data_root] += [trained.network, trained.dataset]

        async def check(node: Node) -> None:
            try:
                async with self.cluster.process(Host, Resources(cpus=0), node, {}) as process:
                    for data_root, there in items.items():
                        await self._check(process, None, there, data_root)
            except LostHostError as error:
                raise SegbenchError(f"Host {node.address} cannot be used: {error}") from error

        nodes = [node for node in self.cluster.nodes() if node.cpus]
        answers = await asyncio.gather(*map(check, nodes), return_exceptions=True)
        if faults := [answer for answer in answers if isinstance(answer, BaseException)]:
            expected = [fault for fault in faults if isinstance(fault, SegbenchError)]
            if len(expected) < len(faults):
                raise next(fault for fault in faults if not isinstance(fault, SegbenchError))
            raise SegbenchError("\n  ".join(fault.message for fault in expected))

    @asynccontextmanager
    async def reach(
        self,
        options: Any,
        items: Sequence[Network | Dataset | Runtime],
        resources: Resources,
        line: Line,
        alone_on: Node | None = None,
    ) -> AsyncIterator[Reached]:
        """A process with the options, once a host has free resources and the caller's code."""
        self.cluster.able(resources)
        environment = {} if alone_on else self.environment
        async with self.cluster.process(Host, resources, alone_on, environment) as process:
            await self._check(process, options, items, _data_root(options))
            here: Here = await process.call("here")
            line.host = f"{here.address} ({here.node})"
            line.say("begun")
            yield Reached(process, here)

    async def _check(
        self,
        process: Process,
        options: Any,
        items: Sequence[Network | Dataset | Runtime],
        data_root: Path,
    ) -> None:
        registry = self.context.registry.at(data_root.absolute())
        job = dumped((absolute(options), items))
        code = code_of(loaded(job, registry)[1], registry)
        await process.call("check", code, registry.data_root, job)


def _data_root(options: Any) -> Path:
    found: Path = getattr(options, "protocol", options).data_root
    return found


def absolute(options: Any) -> Any:
    """The options with the host's data root."""
    if isinstance(options, LatencyOptions):
        protocol = options.protocol
        root = protocol.data_root.absolute()
        return replace(options, protocol=replace(protocol, data_root=root))
    return options and replace(options, data_root=options.data_root.absolute())
