"""Errors that users can fix, in one sentence; everything else is a bug and keeps its traceback."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from traceback import clear_frames
from typing import Any, TypeVar

import click

from segbench.text import lines

MEMORY_IS_SHORT = (
    "out of memory",
    "not enough memory",
    "allocate memory",
    "alloc_failed",
    "bad_alloc",
    "bad allocation",
)
MOST_NAMES = 60
ErrorT = TypeVar("ErrorT", bound=Exception)


class SegbenchError(click.ClickException):
    """An error the user can fix: the message says what is wrong, where, and what to do."""

    def format_message(self) -> str:
        """The message, safe for a terminal: names may contain anything."""
        return lines(self.message)


class PluginError(SegbenchError):
    """A plugin is unknown, broken, ambiguous, or missing a package."""


class DataError(SegbenchError):
    """An image, a label, a prediction or a folder of them is missing or wrong."""


class MissingDeviceError(SegbenchError):
    """A runtime needs a device that this machine does not have."""


class RecordError(SegbenchError):
    """A file in the results folder is not a segbench record."""


class OptionError(SegbenchError):
    """Options that exclude each other, or need another one."""

    exit_code = 2


class MeasurementError(SegbenchError):
    """Some measurements failed or were interrupted; ``records`` are the others."""

    def __init__(self, message: str, records: Sequence[Any]) -> None:
        super().__init__(message)
        self.records = records


class InterruptedRun(SegbenchError):  # noqa: N818
    """The user interrupted a run: nothing is started after it."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> str:
    """The message for an unknown name, with the nearest known one."""
    known = sorted(known)
    near = get_close_matches(name, known, n=1)
    listed = ", ".join(known[:MOST_NAMES]) or "none"
    more = f" and {len(known) - MOST_NAMES} others" if len(known) > MOST_NAMES else ""
    hint = f"Did you mean {near[0]!r}?" if near else f"There are: {listed}{more}."
    return f"No {kind} named {name!r}. {hint}"


def sentence(error: Exception) -> str:
    """The error on one line; an unexpected error comes with its type."""
    if isinstance(error, SegbenchError):
        return error.message
    return ": ".join([type(error).__name__, *str(error).strip().splitlines()[:1]])


def first_line(error: BaseException) -> str:
    """The first sentence of an error, to be quoted in another message; its type if it has none."""
    said = (str(error).splitlines() or [""])[0].split(". ")[0].rstrip(".")
    return said if any(map(str.isalpha, said)) else f"{type(error).__name__} {said}".rstrip()


def kept(error: ErrorT) -> ErrorT:
    """The error without the local variables of its traceback, to be raised or shown later.

    They may keep alive an engine's memory, which the next one needs.
    """
    clear_frames(error.__traceback__)
    return error


def is_interrupt(error: BaseException | None) -> bool:
    """Whether Ctrl-C caused it, such as an ImportError while a module was loading."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def out_of_memory(error: Exception) -> bool:
    """Whether an engine ran out of memory, by the message, since engines share no error type."""
    words = str(error).lower()
    short = isinstance(error, MemoryError) or any(said in words for said in MEMORY_IS_SHORT)
    return short and not isinstance(error, SegbenchError)


def too_large(
    batch_size: int, size: tuple[int, int], advice: str = "make one of them smaller"
) -> SegbenchError:
    """The message for running out of memory."""
    return SegbenchError(
        f"Out of memory with a batch of {batch_size} at {size[0]}x{size[1]}; {advice}."
    )


def explained(error: Exception, batch_size: int, size: tuple[int, int]) -> Exception:
    """The error, in words if an engine ran out of memory."""
    return too_large(batch_size, size) if out_of_memory(error) else error


@contextmanager
def memory_may_be_short(
    batch_size: int, size: tuple[int, int], advice: str = "make one of them smaller"
) -> Iterator[None]:
    """Turn an engine's out-of-memory error into a SegbenchError that names batch and size."""
    try:
        yield
    except Exception as error:
        if not out_of_memory(error):
            raise
        raise too_large(batch_size, size, advice) from error
