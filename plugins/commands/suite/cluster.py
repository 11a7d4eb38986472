"""The parts of Ray that a suite needs: a cluster, its hosts, and a process on one of them."""

import asyncio
import logging
import os
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from segbench.errors import SegbenchError, first_line

from .resources import Resources

ADDRESS = re.compile(r"ray(?:://(?P<host>[^/:\s]+|\[[^\]\s]+\]):(?P<port>\d+))?")
PATIENCE_S = 5.0
GB = 10**9
STORE = 512 * 2**20
"""Bytes of memory for transfers; pieces of files are far smaller."""


class LostHostError(Exception):
    """A process on a host ended before its job was done, such as by a power failure."""


@dataclass(frozen=True)
class Node:
    """A host of the cluster as Ray knows it, with its memory in GB.

    ``whole_id`` is random and changes at every start.
    """

    whole_id: str
    address: str
    cpus: int
    gpus: int
    memory: float

    def can(self, asked: Resources) -> bool:
        """Whether it has the resources ``asked``, if idle."""
        enough = asked.cpus <= self.cpus and asked.gpus <= self.gpus
        return enough and (asked.memory or 0) <= self.memory


def check_address(address: str) -> None:
    """Raise SegbenchError if ``--on`` is not a Ray address, or Ray is missing or unreachable."""
    found = ADDRESS.fullmatch(address)
    if found is None:
        raise SegbenchError(f"--on {address}: give ray, or ray://HOST:PORT.")
    if find_spec("ray") is None:
        raise SegbenchError("--on needs Ray, which is not installed: pip install 'segbench[ray]'.")
    if found["host"]:
        try:
            place = (found["host"].strip("[]"), int(found["port"]))
            socket.create_connection(place, PATIENCE_S).close()
        except (OSError, OverflowError) as error:
            raise _unreachable(address, first_line(error)) from error


@contextmanager
def connected(address: str) -> Iterator["Cluster"]:
    """The cluster at ``ray://HOST:PORT``; for "ray" that of $RAY_ADDRESS or of this machine.

    If this machine has none, a local one is started until the block ends.
    """
    check_address(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")
    import ray

    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    try:
        try:
            ray.init("auto" if address == "ray" else address, **quiet)
        except ConnectionError:
            if address != "ray" or "RAY_ADDRESS" in os.environ:
                raise
            ray.init("local", include_dashboard=False, object_store_memory=STORE, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        where = os.environ.get("RAY_ADDRESS", address) if address == "ray" else address
        raise _unreachable(where, first_line(error).rstrip(":")) from error
    try:
        yield Cluster()
    finally:
        ray.shutdown()


def _unreachable(address: str, why: str) -> SegbenchError:
    return SegbenchError(
        f"No usable Ray cluster at {address} ({why}); start one with ray start, or leave --on out."
    )


class Cluster:
    """A cluster that this process is connected to."""

    def nodes(self) -> list[Node]:
        """The hosts that are up, in a stable order."""
        import ray

        found = []
        for node in ray.nodes():
            has = node["Resources"]
            if node["Alive"]:
                found.append(
                    Node(
                        node["NodeID"],
                        node["NodeManagerAddress"],
                        int(has.get("CPU", 0)),
                        int(has.get("GPU", 0)),
                        has.get("memory", 0) / GB,
                    )
                )
        return sorted(found, key=lambda node: (node.address, node.whole_id))

    def able(self, asked: Resources) -> list[Node]:
        """The hosts with the resources ``asked``; SegbenchError if there are none."""
        nodes = self.nodes()
        able = [node for node in nodes if node.can(asked)]
        if not able:
            there = "; ".join(
                sorted({str(Resources(n.cpus, n.gpus, round(n.memory, 1))) for n in nodes})
            )
            raise SegbenchError(f"No host has {asked}; the hosts have: {there or 'nothing'}.")
        return able

    @asynccontextmanager
    async def process(
        self, kind: type, asked: Resources, on: Node | None, *arguments: Any
    ) -> AsyncIterator["Process"]:
        """An object of class ``kind`` in its own process with the resources ``asked``.

        It runs ``on`` that host, or on any with these resources; the process ends with the block.
        """
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        options: dict[str, Any] = {"num_cpus": asked.cpus, "num_gpus": asked.gpus}
        if asked.memory:
            options["memory"] = int(asked.memory * GB)
        if on is not None:
            options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(on.whole_id, soft=False)
        actor: Any = ray.remote(kind).options(max_concurrency=3, **options).remote(*arguments)
        process = Process(actor)
        try:
            yield process
        finally:
            with suppress(Exception):  # killed below if it does not end itself
                if process.answers:
                    await asyncio.wait_for(process.call("close"), PATIENCE_S)
            with suppress(Exception):
                ray.kill(actor)


@dataclass
class Process:
    """An object on a host; it ``answers`` once it has its resources, until it is lost."""

    actor: Any
    answers: bool = False

    async def call(self, method: str, *arguments: Any) -> Any:
        """Call a method there; raises what it raises, or LostHostError."""
        from ray.exceptions import RayError, RayTaskError

        try:
            answer = getattr(self.actor, method).remote(*arguments)
            value = await asyncio.wrap_future(answer.future())
        except RayTaskError as error:
            raise (error.cause or error) from None
        except (RayError, ConnectionError) as error:
            self.answers = False
            raise LostHostError(_cause_of_death(error)) from error
        self.answers = True
        return value


def _cause_of_death(error: BaseException) -> str:
    """The last line of Ray's message, which has the cause."""
    return ([line.strip() for line in str(error).splitlines() if line.strip()] or [""])[-1]
