"""Work in a separate process, so that a crash does not affect this one."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import TypeVar, cast

from segbench.errors import SegbenchError, is_interrupt
from segbench.workers.processes import HANGS, LOOK, kill_if_it_hangs

A = TypeVar("A")
T = TypeVar("T")


def in_own_process(work: Callable[[A], T], asked: A, name: str, shape: str) -> T:
    """What ``work`` returns, run in a new process; SegbenchError if that process dies.

    It is killed if it hangs. ``name`` and ``shape``, the batch and size that used the memory, are
    for the error. An interrupt reaches both processes; this one waits for the other to finish its
    work, and raises KeyboardInterrupt if that had not begun.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(sender, work, asked))
    interrupted = False
    try:
        with _interrupts_wait():  # in the new process until it can answer
            process.start()
            sender.close()
        answer = _receive(receiver, process)
    except KeyboardInterrupt:
        interrupted = True
        answer = _receive(receiver, process)
    process.join()
    if interrupted and answer is None:
        raise KeyboardInterrupt
    if answer is HANGS:
        raise SegbenchError(f"{name} hangs: {HANGS}.")
    if answer is None:
        raise SegbenchError(f"{name} {_cause_of_death(process.exitcode or 0, shape)}")
    if isinstance(answer, SegbenchError):
        raise answer
    return cast(T, answer)


def _receive(receiver: Connection, process: BaseProcess) -> object:
    """The process's answer; None if it died, ``HANGS`` if it hung and was killed."""
    looks = kill_if_it_hangs(process.pid or 0)
    while not receiver.poll(LOOK):
        if next(looks):
            return HANGS
    try:
        return receiver.recv()
    except EOFError:
        return None


def _answer(sender: Connection, work: Callable[[A], T], asked: A) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _let_interrupts_in()
        sender.send(work(asked))
    except SegbenchError as error:
        sender.send(SegbenchError(error.message))
    except (Exception, KeyboardInterrupt) as error:
        if not is_interrupt(error):
            raise


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Delay interrupts until after the block; processes started in it inherit that."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # its start unblocks interrupts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _let_interrupts_in() -> None:
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _end_with_parent() -> None:
    """End this process when its parent was killed, since nobody waits for the result."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _cause_of_death(code: int, shape: str) -> str:
    if code >= 0:
        return f"ended with exit code {code} (see above)."
    name = signal.Signals(-code).name
    if name != "SIGKILL":
        return f"crashed ({name})."
    return f"was killed ({name}), probably out of memory with {shape}; make one of them smaller."
