"""Each runtime in a process of its own, one after the other, so that a crash costs only itself."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import TypeVar, cast

from segbench.errors import SegbenchError
from segbench.jobs.latency import LatencyOptions, Outcome, latency
from segbench.plugins import Registry
from segbench.progress import Reporter

T = TypeVar("T")


def latency_isolated(options: LatencyOptions, reporter: Reporter) -> Outcome:
    """As ``latency``, but each measurement in a fresh process, with the installed plugins.

    The first runtime's record is the baseline of the others.
    """
    outcome = Outcome()
    for network in options.one_by_one():
        baseline = None
        for runtime in options.runtimes:
            alone = replace(
                network,
                runtimes=(runtime,),
                baseline=baseline,
                isolated=True,
            )
            try:
                part = in_own_process(_measure, alone)
            except SegbenchError as error:
                if options.count == 1:
                    raise
                outcome.failed += 1
                reporter.say(f"{runtime} was not measured: {error.message}")
                continue
            outcome.records += part.records
            if part.interrupted:
                return replace(outcome, interrupted=True)
            if runtime == options.runtimes[0]:
                baseline = part.records[0]
    return outcome


def in_own_process(work: Callable[[LatencyOptions], T], options: LatencyOptions) -> T:
    """What ``work`` returns, done in a fresh process; SegbenchError when that process dies.

    An interrupt reaches both processes; this one waits for the other to end its work.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(sender, work, options))
    process.start()
    sender.close()
    try:
        answer = _receive(receiver)
    except KeyboardInterrupt:
        answer = _receive(receiver)
    process.join()
    if answer is None:
        raise SegbenchError(_cause_of_death(process.exitcode or 0, options))
    if isinstance(answer, SegbenchError):
        raise answer
    return cast(T, answer)


def _receive(receiver: Connection) -> object:
    try:
        return receiver.recv()
    except EOFError:
        return None


def _answer(
    sender: Connection, work: Callable[[LatencyOptions], T], options: LatencyOptions
) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        sender.send(work(options))
    except SegbenchError as error:
        sender.send(SegbenchError(error.message))


def _end_with_parent() -> None:
    """A killed parent cannot end this process, whose measurement nobody waits for any more."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _measure(options: LatencyOptions) -> Outcome:
    registry = Registry.load().at(options.protocol.data_root)
    return latency(options, registry, Reporter())


def _cause_of_death(code: int, options: LatencyOptions) -> str:
    process = f"The process of {options.runtimes[0]}"
    if code >= 0:
        return f"{process} ended with exit code {code}, as said above."
    name = signal.Signals(-code).name
    if name != "SIGKILL":
        return f"{process} crashed ({name})."
    size = "x".join(map(str, options.size)) if options.size else "its default"
    return (
        f"{process} was killed ({name}), most likely out of memory with --batch-size "
        f"{options.protocol.batch_size} at --size {size}; make one of them smaller."
    )
