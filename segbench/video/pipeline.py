"""Stages that run side by side, each in a thread, with short queues between them.

Decoders, engines and encoders let go of Python's lock, so the slowest stage sets the pace.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from queue import Queue
from threading import Event, Thread
from time import perf_counter
from typing import Any

Work = Callable[[Any], Any]

WAITING = 3
"""Items between two stages, at most."""


@dataclass(frozen=True)
class _End:
    """The last thing in a queue, with what went wrong if something did."""

    error: BaseException | None = None


class Pipeline:
    """Iterates over the results of ``works``, one after the other applied to each item.

    ``works`` map a stage's name to what it does; ``source`` names the stage that takes the next
    of ``items``. What a stage raises is raised here, once the stages before it have stopped.
    """

    def __init__(self, source: str, items: Iterator[Any], works: Mapping[str, Work]) -> None:
        self._stopped = Event()
        tickets = iter(self._stopped.is_set, True)
        self.stages = [_Stage(source, lambda _: next(items), tickets, self._stopped)]
        for name, work in works.items():
            self.stages.append(_Stage(name, work, self.stages[-1], self._stopped))

    def __iter__(self) -> Iterator[Any]:
        return self.stages[-1]

    def stop(self) -> None:
        """Take no more items; those on their way still come out."""
        self._stopped.set()

    def seconds(self) -> dict[str, float]:
        """How long each stage has worked, without its waiting."""
        return {stage.name: stage.seconds for stage in self.stages}


class _Stage(Iterator[Any]):
    """One work in a thread of its own, and an iterator over its results."""

    def __init__(self, name: str, work: Work, items: Iterable[Any], stopped: Event) -> None:
        self.name, self.seconds = name, 0.0
        self._work, self._items, self._stopped = work, items, stopped
        self._results: Queue[Any] = Queue(WAITING)
        Thread(target=self._run, name=name, daemon=True).start()

    def __next__(self) -> Any:
        result = self._results.get()
        if isinstance(result, _End):
            self._results.put(result)  # for whoever asks again
            raise result.error or StopIteration
        return result

    def _run(self) -> None:
        end = _End()
        try:
            for item in self._items:
                started = perf_counter()
                try:
                    result = self._work(item)
                except StopIteration:
                    break
                finally:
                    self.seconds += perf_counter() - started
                self._results.put(result)
        except BaseException as error:
            end = _End(error)
            self._let_the_stages_before_end()
        self._results.put(end)

    def _let_the_stages_before_end(self) -> None:
        """They wait for room in their queues, so these are emptied."""
        self._stopped.set()
        try:
            for _ in self._items:
                pass
        except BaseException:
            return
